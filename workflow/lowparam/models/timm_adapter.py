"""Adapt any network of timm (Wightman 2019, github.com/huggingface/pytorch-image-models) as an architecture.

timm's blocks do not name their sites, so they are found by module type: 1x1 convolutions and linear layers that widen
are expansions, those that narrow or keep the width are projections, other convolutions are spatial, and modules
that timm calls blocks, bottlenecks and the like are streams. Norms and layer scales are found by following what each
layer puts out through one forward pass.
"""

import difflib
import re
from contextlib import suppress

import timm
import torch
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.utils import get_session
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lowparam.errors import LowparamError
from lowparam.models.blocks.base import Site
from lowparam.models.skeletons.controlled import Network

__all__ = ["PREFIX", "Adapted", "Tap", "build", "matching"]

PREFIX = "timm:"

HUB_TIMEOUT = 5
"""Seconds that the hub has to answer."""

STREAM = re.compile(r"Block$|Blocks$|Bottleneck|Residual$|SeparableConv$|DenseLayer$|^Bottle")
"""Names of timm's classes whose output is a stream."""

GATE = re.compile(r"^SE|Squeeze|^Eca|Cbam|GlobalContext|^Gather")
"""Names of timm's classes that compute one gate a channel; what is inside them is no feature map."""


class Tap(nn.Module):
    """Passes on the feature map that a layer returns, as (N, C, H, W) whatever its own order, for hooks to read.

    Tokens (N, L, C) become (N, C, L, 1); maps with channels last are turned. Nothing is computed.

    Parameters
    ----------
    channels_last : bool
        Whether the layer's output ends with the channels.
    """

    def __init__(self, channels_last: bool) -> None:
        super().__init__()
        self.channels_last = channels_last

    def turned(self, x: Tensor) -> Tensor:
        """Return a tensor in the order of the layer as a map (N, C, H, W)."""
        x = x.movedim(-1, 1) if self.channels_last else x
        return x.unsqueeze(-1) if x.ndim == 3 else x

    def forward(self, before: Tensor, x: Tensor) -> Tensor:
        """Return `x`, the map; `before` is what the layer took, turned likewise."""
        return x


class Adapted(Network):
    """A network of timm with the interface of ours.

    Parameters
    ----------
    net : nn.Module
        The network of timm.
    image : Tensor, shape (1, in_channels, size, size)
        Runs through once in eval mode, to see the shapes of all layers.
    """

    def __init__(self, net: nn.Module, image: Tensor) -> None:
        super().__init__()
        self.net = net
        for module in net.modules():
            if getattr(module, "inplace", False):
                module.inplace = False  # it would overwrite a feature map that was just read
        self.taps = nn.ModuleList()
        self._read: list[tuple[str, str]] = []  # for every tap: name of the layer, kind of the site
        shapes = _output_shapes(net, image)
        self._norms, self._scales = _what_follows(net, image)
        gates = [module for module in net.modules() if GATE.search(type(module).__name__)]
        left_out = {id(part) for module in (*self.head_modules(), *gates) for part in module.modules()}
        for name, module in net.named_modules():
            kind = None if id(module) in left_out else _kind(module)
            shape = shapes.get(name, ())
            if kind is None or len(shape) not in (3, 4):
                continue
            tap = Tap(isinstance(module, nn.Linear) or (kind == "stream" and _channels_last(module, shape)))
            self.taps.append(tap)
            self._read.append((name, kind))
            module.register_forward_hook(_Show(tap))

    def features(self, x: Tensor) -> Tensor:
        """Map images (N, in_channels, size, size) to what timm calls the features, of timm's own shape."""
        return self.net.forward_features(x)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, in_channels, size, size) to logits (N, classes)."""
        return self.net(x)

    def head_modules(self) -> list[nn.Module]:
        """Return the classifier, or both where timm distils with two; none for a network that is not of timm."""
        if not hasattr(self.net, "get_classifier"):
            return []
        classifier = self.net.get_classifier()
        return list(classifier) if isinstance(classifier, tuple) else [classifier]

    def sites(self) -> dict[str, Site]:
        """Return all sites by name, such as ``blocks.1.0.conv_pw.expansion``, in timm's order of layers."""
        sites = {}
        for tap, (name, kind) in zip(self.taps, self._read, strict=True):
            if kind in ("expansion", "projection"):
                site = Site(kind, tap, self.net.get_submodule(name), self._norms.get(name), self._scales.get(name))
            else:
                site = Site(kind, tap)
            sites[f"{name}.{kind}"] = site
        return sites


class _Show:
    """A forward hook that passes the output of a layer to its tap."""

    def __init__(self, tap: Tap) -> None:
        self.tap = tap

    def __call__(self, module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        # A change that a hook makes on the tap is passed on to the network.
        shown = self.tap(self.tap.turned(args[0]), self.tap.turned(output))
        shown = shown.squeeze(-1) if output.ndim == 3 else shown
        return shown.movedim(1, -1) if self.tap.channels_last else shown


def matching(pattern: str) -> list[str]:
    """Return the names of timm's networks that match a pattern such as ``timm:mobilenetv2*``."""
    return [f"{PREFIX}{name}" for name in timm.list_models(pattern.removeprefix(PREFIX))]


def build(
    name: str, *, classes: int, in_channels: int, size: int, probe: str = "none", pretrained: bool = False
) -> Adapted:
    """Build a network of timm, with random weights unless told otherwise.

    Parameters
    ----------
    name : str
        ``timm:`` and a name that timm knows, such as ``timm:mobilevit_xxs``.
    classes, in_channels, size : int
        Number of classes, channels of the images, and their height and width in pixels.
    probe : {"none"}
        Where SoLU goes is not defined for a network whose blocks are not ours.
    pretrained : bool
        Take the weights that timm has at the Hugging Face hub. For other classes than they were trained on, timm makes
        a random classifier; for another number of input channels, it adapts the first layer.

    Raises
    ------
    LowparamError
        If timm does not know the name, a probe is asked for, the network cannot take such images or classes, or
        the hub has no weights or cannot be reached.
    """
    if probe != "none":
        raise LowparamError(f"{name} takes no probe, not {probe!r}: its blocks have no place for it")
    own = name.removeprefix(PREFIX)
    if not timm.is_model(own):
        near = difflib.get_close_matches(own, timm.list_models(), n=1)
        hint = f"did you mean {PREFIX}{near[0]}?" if near else "timm.list_models() lists them"
        raise LowparamError(f"timm {timm.__version__} has no network {own!r}: {hint}")
    image = torch.zeros(1, in_channels, size, size)
    weights = _weights_from_hub(own) if pretrained else None
    try:
        net = _create(own, classes, in_channels, size, weights)
        adapted = Adapted(net, image)
        with torch.no_grad():
            logits = adapted.eval()(image)
    except LowparamError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:150]
        raise LowparamError(
            f"{name} cannot take {in_channels} x {size} x {size} images of {classes} classes: {reason}"
        ) from error
    if logits.shape != (1, classes):
        raise LowparamError(f"{name} is no classifier of {classes} classes: it gives {tuple(logits.shape)}")
    return adapted.train()


def _create(name: str, classes: int, in_channels: int, size: int, weights: str | None) -> nn.Module:
    """Create a network of timm, with the image size if it takes one."""
    options = {"pretrained": weights is not None, "num_classes": classes, "in_chans": in_channels}
    overlay = {} if weights is None else {"pretrained_cfg_overlay": {"file": weights}}
    try:
        return timm.create_model(name, img_size=size, **options, **overlay)
    except TypeError as error:
        if "img_size" not in str(error):
            raise
        return timm.create_model(name, **options, **overlay)


def _weights_from_hub(name: str) -> str:
    """Return the path of a network's safetensors file in the hub's cache on this machine; download it if need be."""
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise LowparamError(f"timm names no weights of {name} at the Hugging Face hub; give a file with --weights")
    file = {"repo_id": config.hf_hub_id, "filename": "model.safetensors"}
    with suppress(LocalEntryNotFoundError):
        return hf_hub_download(**file, local_files_only=True)
    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_TIMEOUT)  # a download would retry for half a minute
        return hf_hub_download(**file)
    except Exception as error:  # what the network, the hub and its client raise has no common ancestor
        reason = " ".join(str(error).split())[:150]
        raise LowparamError(
            f"cannot get {config.hf_hub_id} from the Hugging Face hub: {reason}; give a file with --weights"
        ) from error


def _kind(module: nn.Module) -> str | None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        before, after = (
            (module.in_channels, module.out_channels)
            if isinstance(module, nn.Conv2d)
            else (module.in_features, module.out_features)
        )
        if isinstance(module, nn.Conv2d) and (module.kernel_size != (1, 1) or module.groups > 1):
            return "spatial"
        return "expansion" if after > before else "projection"
    return "stream" if STREAM.search(type(module).__name__) else None


def _channels_last(module: nn.Module, shape: tuple[int, ...]) -> bool:
    """Guess the order of a block's output: tokens end with channels; so does a map of a width that a linear has."""
    if len(shape) == 3:
        return True
    widths = {layer.out_features for layer in module.modules() if isinstance(layer, nn.Linear)}
    convolved = {layer.out_channels for layer in module.modules() if isinstance(layer, nn.Conv2d)}
    return shape[1] not in widths | convolved and shape[-1] in widths


def _what_follows(net: nn.Module, image: Tensor) -> tuple[dict[str, nn.Module], dict[str, nn.Parameter]]:
    """Return the norm and the layer scale that follow each layer, by the layer's name."""
    trace, hooks = _Trace(), []
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):

            def write(
                module: nn.Module, args: tuple, output: Tensor, name: str = name, width: int = len(module.weight)
            ) -> None:
                trace.wrote[id(output)] = output, name, width

            hooks.append(module.register_forward_hook(write))
        elif isinstance(module, nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm):

            def read(module: nn.Module, args: tuple, output: Tensor) -> None:
                if id(args[0]) in trace.wrote:
                    _, name, width = trace.wrote[id(args[0])]
                    trace.norms[name] = module
                    trace.wrote[id(output)] = output, name, width

            hooks.append(module.register_forward_hook(read))
    with torch.no_grad(), trace:
        net.eval()(image)
    for hook in hooks:
        hook.remove()
    return trace.norms, trace.scales


class _Trace(TorchFunctionMode):
    """Follows what layers put out through views, and notes a parameter that it is multiplied with: the layer scale.

    timm has it as a module in some networks and as a parameter of the block in others, so the multiplication itself is
    looked for. Tensors are held, so that no other gets their id.
    """

    VIEWS = frozenset(
        {"permute", "transpose", "movedim", "reshape", "view", "flatten", "squeeze", "unsqueeze", "dropout"}
    )

    def __init__(self) -> None:
        super().__init__()
        self.wrote: dict[int, tuple[Tensor, str, int]] = {}
        self.factors: dict[int, tuple[Tensor, nn.Parameter]] = {}
        self.norms: dict[str, nn.Module] = {}
        self.scales: dict[str, nn.Parameter] = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        if func.__name__ in self.VIEWS:
            first = args[0]
            if id(first) in self.wrote:
                self.wrote[id(output)] = output, *self.wrote[id(first)][1:]
            elif isinstance(first, nn.Parameter):
                self.factors[id(output)] = output, first
        elif func.__name__ in ("mul", "mul_") and len(args) == 2:
            for map_, factor in (args, args[::-1]):
                factor = self.factors[id(factor)][1] if id(factor) in self.factors else factor
                if id(map_) in self.wrote and isinstance(factor, nn.Parameter):
                    _, name, width = self.wrote[id(map_)]
                    if factor.numel() == width:
                        self.scales[name] = factor
        return output


def _output_shapes(net: nn.Module, image: Tensor) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str):
        def hook(module: nn.Module, args: tuple, output: object) -> None:
            if isinstance(output, Tensor):
                shapes[name] = tuple(output.shape)

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in net.named_modules()]
    with torch.no_grad():
        net.eval()(image)
    for handle in handles:
        handle.remove()
    return shapes
