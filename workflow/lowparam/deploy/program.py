"""Turn a trained network into the program that a device runs: what only training needed is gone.

Kernels that parts make become plain weights, smaller kernels next to a large one merge into it, and every batch norm
that follows a convolution or a linear layer is folded into its weights. What is computed stays the same, up to the
rounding of float32.
"""

import copy
import re
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from lowparam.errors import LowparamError
from lowparam.models.blocks.base import foldable

__all__ = ["INPUT", "OUTPUT", "as_deployed", "one_line", "program_of"]

INPUT, OUTPUT = "images", "logits"
"""Names of what an exported network takes and gives."""

aten = torch.ops.aten
CONVOLUTIONS = (aten.conv1d.default, aten.conv2d.default, aten.conv2d.padding, aten.conv3d.default)


def program_of(
    model: nn.Module, shape: tuple[int, int, int], *, name: str = "the network"
) -> torch.export.ExportedProgram:
    """Export a network as a program of torch's operators, in eval mode, ready for a device.

    Parameters
    ----------
    model : nn.Module
        Maps images (N, C, H, W) to logits (N, K); it stays as it is.
    shape : (int, int, int)
        C, H, W of an image.
    name : str
        How messages call the network.

    Returns
    -------
    ExportedProgram
        It takes any number of images at once, or one where the network's own code depends on that number.

    Raises
    ------
    LowparamError
        If torch cannot follow the network; the message has torch's reason.
    """
    model = as_deployed(model)
    several, one = torch.zeros(2, *shape), torch.zeros(1, *shape)
    batch = {0: torch.export.Dim("batch", min=1)}
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        try:
            traced, images, sizes = torch.export.export(model, (several,), dynamic_shapes=(batch,)), several, (batch,)
        except Exception:  # whatever it raises for a number of images that is a constant of the network's code
            traced, images, sizes = _traced(model, one, name), one, None
        graph = _fold_norms(traced.module(check_guards=False))
        return torch.export.export(graph, (images,), dynamic_shapes=sizes)


def as_deployed(model: nn.Module) -> nn.Module:
    """Copy a network in eval mode on the CPU, without what only training needs."""
    model = copy.deepcopy(model).cpu().eval()
    for module in model.modules():
        if parametrize.is_parametrized(module):
            _fix_weights(module)
    _replace(model, _merged)
    _replace(model, _plain_norm)
    return model


def _fix_weights(module: nn.Module) -> None:
    """Replace what makes the weights of a layer by the weights themselves.

    `torch.nn.utils.parametrize.remove_parametrizations` would change the class that a copy shares with its original.
    """
    names = dict(module.parametrizations.named_children())
    made = {name: getattr(module, name).detach().clone() for name in names}
    del module.parametrizations
    module.__class__ = type(module).__bases__[0]
    for name, tensor in made.items():
        module.register_parameter(name, nn.Parameter(tensor, requires_grad=False))


def _traced(model: nn.Module, image: Tensor, name: str) -> torch.export.ExportedProgram:
    try:
        return torch.export.export(model, (image,))
    except Exception as error:  # torch raises many kinds, which have no common ancestor
        raise LowparamError(f"{name} cannot be exported: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """Say in one line why an exporter failed: the operator that it does not know, or the first line of its reason."""
    reasons: list[str] = []
    link: BaseException | None = error
    while link is not None and len(reasons) < 10:
        reasons.append(str(link))
        link = link.__cause__ or link.__context__
    for reason in reasons:
        found = re.search(r"No ONNX function found for <OpOverload\(op='([\w.]+)', overload='(\w+)'\)>", reason)
        if found:
            return f"ONNX has no operator for {found[1]}.{found[2]}"
    for reason in reasons:
        found = re.search(r"translating node %?\w+.*?target=torch\.ops\.([\w.]+)", reason, flags=re.DOTALL)
        if found:
            return f"the operator {found[1]} cannot be translated to ONNX"
    last = next((reason for reason in reversed(reasons) if reason.strip()), type(error).__name__)
    return " ".join(last.strip().splitlines()[0].split())[:200]


def _replace(model: nn.Module, replacement: Callable[[nn.Module], nn.Module | None]) -> None:
    """Put another module in the place of each for which there is a replacement."""
    for name, module in list(model.named_modules()):
        if name and (new := replacement(module)) is not None:
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, new)


def _merged(module: nn.Module) -> nn.Module | None:
    """Return the one layer that a module is in eval mode, if it tells."""
    merge = getattr(module, "merged", None)
    if merge is None:
        return None
    try:
        return merge()
    except TypeError:  # its norms depend on the image
        return None


def _plain_norm(module: nn.Module) -> nn.Module | None:
    """Return the batch norm that a norm of another kind is in eval mode, as PRepBN tells.

    One that subtracts no mean, or adds no bias, as that of B-cos, has zeros there.
    """
    norm = foldable(module)
    if norm is None or isinstance(norm, nn.modules.batchnorm._NormBase):
        return None
    plain = nn.BatchNorm2d(len(norm.running_var), eps=norm.eps)
    state = {name: getattr(norm, name, None) for name in ("weight", "bias", "running_mean", "running_var")}
    plain.load_state_dict({name: given.detach() for name, given in state.items() if given is not None}, strict=False)
    return plain.eval()


def _fold_norms(graph: fx.GraphModule) -> fx.GraphModule:
    """Fold batch norms into the layers before them; one whose layer somebody else reads or shares stays."""
    for norm in [node for node in graph.graph.nodes if node.target == aten.batch_norm.default]:
        layer = norm.args[0]
        if not isinstance(layer, fx.Node) or len(layer.users) > 1 or norm.args[5]:
            continue
        convolution, linear = layer.target in CONVOLUTIONS, layer.target == aten.linear.default
        flat = "val" in layer.meta and layer.meta["val"].ndim == 2  # else a norm of tokens, whose channels are last
        if not (convolution or (linear and flat)):
            continue
        weight, bias = layer.args[1], layer.args[2] if len(layer.args) > 2 else None
        given = [weight, bias, norm.args[3], norm.args[4], norm.args[1], norm.args[2]]
        if any(each is not None and each.op != "get_attr" for each in given) or len(weight.users) > 1:
            continue
        w, b, mean, var, gain, shift = (None if each is None else _tensor(graph, each.target) for each in given)
        if convolution:
            new = fuse_conv_bn_weights(w, b, mean, var, norm.args[7], gain, shift)
        else:
            gain = torch.ones_like(mean) if gain is None else gain
            shift = torch.zeros_like(mean) if shift is None else shift
            new = fuse_linear_bn_weights(w, b, mean, var, norm.args[7], gain, shift)
        names = [f"folded_{layer.name}_{part}" for part in ("weight", "bias")]
        with graph.graph.inserting_before(layer):
            nodes = []
            for name, tensor in zip(names, new, strict=True):
                graph.register_parameter(name, nn.Parameter(tensor.detach(), requires_grad=False))
                nodes.append(graph.graph.get_attr(name))
        layer.args = (layer.args[0], *nodes, *layer.args[3:])
        norm.replace_all_uses_with(layer)
        graph.graph.erase_node(norm)
    graph.graph.eliminate_dead_code()
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph


def _tensor(graph: fx.GraphModule, name: str) -> Tensor:
    found: object = graph
    for part in name.split("."):
        found = getattr(found, part)
    assert isinstance(found, Tensor)
    return found.detach()
