"""Make the layers of a block, so that a part can replace them.

A block declares in ``defaults`` what it is made of, gets each layer from `Make`, and never builds one of these itself:

========================================  ===========================================================================
``make.spatial(channels, kernel, stride)``  the convolution that mixes positions
``make.pointwise(before, after)``           a 1x1 convolution
``make.norm(channels)``                     the norm after a convolution
``make.activation(channels)``               an activation
``make.gate(channels)``                     what weighs the channels of the map that the last pointwise layer reads
``make.scale(channels)``                    a factor on the branch, before it is added
``make.join(channels)``                     the shortcut: x and f(x) to x + f(x)
``make.striding(convolution, ...)``         a convolution that may stride
========================================  ===========================================================================

`Make` records what is requested, so that a part that a block has no place for, or has already, is an error.
"""

import copy
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lowparam import registry
from lowparam.architectures import part_entries, split
from lowparam.errors import LowparamError
from lowparam.models.probes import Probe

__all__ = ["Defaults", "Make"]


@dataclass(frozen=True)
class Defaults:
    """What a block is made of where no part replaces it.

    Parameters
    ----------
    norm : callable
        Makes the norm from the number of channels.
    activation : callable
        Makes the activation.
    gate, scale : callable or None
        Make the gate and the layer scale from the number of channels; None is none.
    bias : bool
        Whether convolutions have biases where a norm follows. Where none follows they always have.
    """

    norm: Callable[[int], nn.Module] = nn.BatchNorm2d
    activation: Callable[[], nn.Module] = nn.ReLU
    gate: Callable[[int], nn.Module] | None = None
    scale: Callable[[int], nn.Module] | None = None
    bias: bool = False


class Make:
    """Makes the layers of a block: a part's where one has the slot, the block's own elsewhere.

    Parameters
    ----------
    parts : iterable of modules
        Files of ``lowparam/models/parts``, at most one a slot.
    probe : Probe
        Takes the place of the activation if that is its placement.
    name : str
        The architecture, for messages.

    Raises
    ------
    LowparamError
        If two parts, or a part and the probe, have the same slot.
    """

    def __init__(self, parts: Iterable[ModuleType] = (), *, probe: Probe = Probe(None), name: str = "") -> None:
        self.name = name
        self.parts: dict[str, ModuleType] = {}
        self.defaults = Defaults()
        self._changes: dict = {}
        self._asked: set[str] = set()
        self._differs: set[str] = set()
        self._probe = probe.make if probe.placement == "activation" else None
        for part in parts:
            other = self.parts.setdefault(part.SLOT, part)
            if other is not part:
                raise LowparamError(
                    f"architecture {name}: the parts {_named(other)} and {_named(part)} are both for the "
                    f"{SLOTS[part.SLOT]}; leave one out"
                )
        if self._probe is not None and "activation" in self.parts:
            raise LowparamError(
                f"architecture {name}: the part {_named(self.parts['activation'])} and a probe at s3 both take the "
                "place of the activation; leave out the part, or probe at s1 or s2"
            )

    @classmethod
    def of(cls, architecture: str, probe: Probe = Probe(None)) -> "Make":
        """Return what makes the layers of an architecture with a probe.

        Raises
        ------
        LowparamError
            If there is no such part, or two have the same slot.
        """
        parts = [registry.load("models/parts", part) for part in part_entries(architecture)]
        return cls(parts, probe=probe, name=architecture)

    def __deepcopy__(self, memo: dict) -> "Make":
        return self  # a copy of a network is made of the same

    def with_defaults(self, **changes) -> "Make":
        """Return the same for blocks whose `Defaults` differ in these, as those of a published network may."""
        other = copy.copy(self)
        other._changes = self._changes | changes
        return other

    def bind(self, defaults: Defaults) -> "Make":
        """Return the same for a block with these defaults."""
        other = copy.copy(self)
        other.defaults = replace(defaults, **self._changes)
        return other

    def spatial(
        self, channels: int, kernel: int, stride: int = 1, *, dense: bool = False, bias: bool | None = None
    ) -> nn.Module:
        """Make the layer that mixes positions: (N, channels, H, W) to (N, channels, H / stride, W / stride).

        By default a depthwise convolution with padding kernel // 2, or a dense one. ``bias`` is as in `pointwise`.
        """

        def own(stride: int) -> nn.Module:
            groups, with_bias = 1 if dense else channels, self._bias(bias)
            conv = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=groups, bias=with_bias)
            return _as("spatial", conv)

        def made(stride: int) -> nn.Module:
            return self._part("spatial", lambda part: part.make(channels, kernel, stride), lambda: own(stride))

        return self.striding(made, channels, stride)

    def striding(self, convolution: Callable[[int], nn.Module], channels: int, stride: int) -> nn.Module:
        """Make a layer that strides, from what makes it at a stride, with `channels` output channels.

        A part for striding follows the layer at stride 1.
        """
        if stride == 1:
            return convolution(1)
        return self._part(
            "down",
            lambda part: nn.Sequential(convolution(1), part.make(channels, stride)),
            lambda: convolution(stride),
        )

    def pointwise(self, before: int, after: int, *, bias: bool | None = None) -> nn.Module:
        """Make a 1x1 convolution; ``bias`` is by default that of `Defaults`, and True where there are no norms."""
        return _as("pointwise", nn.Conv2d(before, after, 1, bias=self._bias(bias)))

    def norm(self, channels: int) -> nn.Module:
        """Make a norm of (N, channels, H, W)."""
        return self._part("norm", lambda part: part.make(channels), lambda: self.defaults.norm(channels))

    def activation(self, channels: int) -> nn.Module:
        """Make an activation of (N, channels, H, W): the probe if it goes there."""
        if self._probe is not None:
            return self._probe()
        return self._part("activation", lambda part: part.make(channels), lambda: self.defaults.activation())

    def gate(self, channels: int) -> nn.Module:
        """Make what weighs the channels of (N, channels, H, W); the identity by default."""
        own = self.defaults.gate or nn.Identity
        return self._part("gate", lambda part: part.make(channels), lambda: own(channels))

    def scale(self, channels: int) -> nn.Module:
        """Make the factor on a branch that is added; the identity by default."""
        own = self.defaults.scale or nn.Identity
        if hasattr(self.parts.get("shortcut"), "scale"):
            return self._part("shortcut", lambda part: part.scale(channels), lambda: own(channels))
        return own(channels)

    def join(self, channels: int) -> Callable[[Tensor, Tensor], Tensor] | None:
        """Make what maps x and f(x), both (N, channels, H, W), to their sum; None if nothing joins them."""
        if hasattr(self.parts.get("shortcut"), "make"):
            return self._part("shortcut", lambda part: part.make(channels), lambda: operator.add)
        return operator.add

    def head(self, features: int, classes: int, size: int) -> nn.Module | None:
        """Make what maps the last map (N, features, size, size) to logits; None for mean pooling and a linear layer."""
        return self._part("head", lambda part: part.make(features, classes, size), lambda: None)

    def finish(self, net: nn.Module) -> None:
        """Let the parts finish a network, make its kernels if a part does, and check that every part was used.

        Raises
        ------
        LowparamError
            If the block has no place for a part, or already has what a part gives.
        """
        for part in self.parts.values():
            if hasattr(part, "finish"):
                part.finish(net)
        if "kernel" in self.parts:
            self._make_kernels(net, self.parts["kernel"])
        block, _ = split(self.name)
        for slot, part in self.parts.items():
            if slot not in self._asked:
                raise LowparamError(
                    f"architecture {self.name}: {block} has no {SLOTS[slot]} that {_named(part)} could take the place "
                    f"of; leave out +{_named(part)}"
                )
            if slot not in self._differs:
                raise LowparamError(
                    f"architecture {self.name}: {_named(part)} is what {block} has already; leave out +{_named(part)}"
                )

    def _make_kernels(self, net: nn.Module, part: ModuleType) -> None:
        found = [module for module in net.modules() if getattr(module, "role", None) in part.ON]
        shapes = [tuple(module.weight.shape) for module in found]
        shares = found and hasattr(part, "share")
        if shares:
            net.shared_kernel = part.share(shapes)
        for index, (module, shape) in enumerate(zip(found, shapes, strict=True)):
            made = part.make(shape, net.shared_kernel, index) if shares else part.make(shape)
            if made is None:
                continue
            # After the weights are initialised, so that a part can begin at them (its right_inverse).
            parametrize.register_parametrization(module, "weight", made, unsafe=True)  # it may be larger
            kernel = tuple(module.weight.shape[2:])
            module.kernel_size, module.padding = kernel, tuple(size // 2 for size in kernel)
            self._asked.add("kernel")
            self._differs.add("kernel")

    def _part(self, slot: str, made: Callable[[ModuleType], nn.Module], own: Callable[[], nn.Module]) -> nn.Module:
        """Return what the part of a slot makes, and record whether the block would have had the same; else `own`."""
        part = self.parts.get(slot)
        if part is None:
            return own()
        module = made(part)
        self._asked.add(slot)
        if slot not in self._differs:
            with torch.device("meta"):  # draws no weights
                mine = own()
            if type(mine) is not type(module) or repr(mine) != repr(module):
                self._differs.add(slot)
        return module

    def _bias(self, bias: bool | None) -> bool:
        if bias is not None:
            return bias
        if "norm" not in self.parts:
            return self.defaults.bias
        with torch.device("meta"):
            return self.defaults.bias or isinstance(self.parts["norm"].make(1), nn.Identity)


SLOTS = {
    "kernel": "kernel of a convolution",
    "spatial": "spatial convolution",
    "gate": "gate",
    "norm": "norm",
    "activation": "activation",
    "shortcut": "shortcut",
    "down": "striding",
    "head": "head",
}
"""What a part of each slot takes the place of, in words."""


def _as(role: str, conv: nn.Conv2d) -> nn.Conv2d:
    """Mark what a convolution is in its block, for parts that make its kernel."""
    conv.role = role
    return conv


def _named(part: ModuleType) -> str:
    return part.__name__.rpartition(".")[2]
