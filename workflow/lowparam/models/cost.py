"""Count what a network costs: parameters, multiply-accumulates, memory of weights and of activations."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

__all__ = [
    "Cost",
    "Parameters",
    "Trace",
    "cost",
    "count_macs",
    "count_parameters",
    "count_values",
    "peak_activation_elements",
    "shapes_only",
    "weight_bytes",
]

FP32, INT8 = 4, 1  # bytes a value


@dataclass(frozen=True)
class Parameters:
    """Numbers of trainable values.

    ``head`` is what comes after the last block (the classifier, and widening layers where a published network has
    them); ``body`` is the rest.
    """

    total: int
    body: int
    head: int


@dataclass(frozen=True)
class Cost:
    """The cost of one image through a network in eval mode.

    Parameters
    ----------
    parameters : Parameters
        Numbers of trainable values.
    macs : int
        Multiply-accumulates of convolutions and matrix products.
    peak_activation_bytes, peak_activation_bytes_int8 : int
        Largest memory of activations at 4 bytes and at 1 byte a value (see `peak_activation_elements`).
    weight_bytes, weight_bytes_int8 : int
        Memory of the weights at 4 bytes and at 1 byte a real value.
    """

    parameters: Parameters
    macs: int
    peak_activation_bytes: int
    peak_activation_bytes_int8: int
    weight_bytes: int
    weight_bytes_int8: int


def count_parameters(net: nn.Module) -> Parameters:
    """Count the elements of all parameters (buffers are not parameters).

    The head is what ``net.head_modules()`` gives, and ``net.classifier`` for a module that does not have it.
    """
    total = count_values(net)
    modules = net.head_modules() if hasattr(net, "head_modules") else [net.classifier]
    head = sum(count_values(module) for module in modules)
    return Parameters(total, total - head, head)


def count_values(module: nn.Module) -> int:
    """Count the elements of the parameters of one module that remain after training.

    Of a kernel that collapses these are the elements of the kernel, and `unused_later` of a layer does not count.
    """
    unused: list[nn.Module] = []
    for layer in module.modules():
        unused += getattr(layer, "unused_later", ())  # pyrefly: ignore[unsupported-operation]: a tuple of modules
    total = sum(p.numel() for p in module.parameters()) - sum(p.numel() for each in unused for p in each.parameters())
    for layer in _made_modules(module):
        made = layer.parametrizations["weight"]
        if getattr(made[0], "collapses", False):
            total += layer.weight.numel() - sum(p.numel() for p in made.parameters())
    return total


def weight_bytes(net: nn.Module, size: int) -> int:
    """Compute the memory of the weights at `size` bytes a real value, with what kernels store that is not learned."""
    bits = 8 * size * count_values(net)
    for layer in _made_modules(shapes_only(net) if _made_modules(net) else net):
        made = layer.parametrizations["weight"]
        if hasattr(made[0], "stored_bits"):
            learned = sum(p.numel() for p in made.parameters())
            bits += made[0].stored_bits(layer.weight, 8 * size) - 8 * size * learned
    return -(-bits // 8)


def count_macs(net: nn.Module, in_channels: int, size: int) -> int:
    """Count the multiply-accumulates of one image of (in_channels, size, size).

    They are half of what torch's FlopCounterMode reports: convolutions and matrix products (those of attention too),
    without biases, norms, activations and pooling.
    """
    return _run(net, in_channels, size)[0]


def peak_activation_elements(net: nn.Module, in_channels: int, size: int) -> int:
    """Find the largest number of values that a forward pass of one image holds at one time.

    A tensor lives from the operation that writes it to the last operation that reads it, whatever Python still holds;
    the image is one of them, weights and buffers are not. While an operation runs, what it reads and what it writes
    are both live. Element-wise operations and norms write over their input where nobody reads it later, as every
    runtime for small devices does by fusing them; views take no memory. The sum of live tensors is a lower bound of
    what an allocator needs, because it knows no gaps.
    """
    return _run(net, in_channels, size)[1]


def cost(net: nn.Module, in_channels: int, size: int) -> Cost:
    """Compute what one image of (in_channels, size, size) costs in eval mode; the network is left as it was."""
    parameters = count_parameters(net)
    macs, peak = _run(net, in_channels, size)
    return Cost(
        parameters=parameters,
        macs=macs,
        peak_activation_bytes=peak * FP32,
        peak_activation_bytes_int8=peak * INT8,
        weight_bytes=weight_bytes(net, FP32),
        weight_bytes_int8=weight_bytes(net, INT8),
    )


def shapes_only(net: nn.Module) -> nn.Module:
    """Copy a network without its values, in eval mode."""
    return copy.deepcopy(net).to("meta").eval()


def _made_modules(net: nn.Module) -> list[nn.Module]:
    """Return the layers whose kernel a part makes."""
    return [module for module in net.modules() if parametrize.is_parametrized(module, "weight")]


def _run(net: nn.Module, in_channels: int, size: int) -> tuple[int, int]:
    """Run one image through the shapes of a network; return its MACs and the peak of its activations."""
    shapes = shapes_only(net)
    image = torch.empty(1, in_channels, size, size, device="meta")
    with torch.no_grad(), parametrize.cached():
        for made in _made_modules(shapes):  # before counting: a kernel is a constant once it has been learned
            made.weight  # noqa: B018
        with FlopCounterMode(display=False) as counter, Trace() as trace:
            shapes(image)
    return counter.get_total_flops() // 2, trace.peak(image)


NORMS = ("native_batch_norm", "native_layer_norm", "native_group_norm", "_native_batch_norm_legit_no_training")


class Trace(TorchDispatchMode):
    """Records which storages every operation reads and writes."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[list[int], list[int], bool]] = []
        self.elements: dict[int, int] = {}
        self.kept: list[Tensor] = []  # the key of a freed storage may be used again

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        made = [t for t in tree_leaves(result) if isinstance(t, Tensor)]
        for tensor in (*given, *made):
            self.elements[_storage(tensor)] = tensor.untyped_storage().nbytes() // tensor.element_size()
        self.kept += given + made
        overwrites = torch.Tag.pointwise in func.tags or func.overloadpacket.__name__ in NORMS
        self.steps.append(([_storage(t) for t in given], [_storage(t) for t in made], overwrites))
        return result

    def peak(self, image: Tensor) -> int:
        """Return the largest number of elements that are live at one time."""
        last_use = {key: step for step, (reads, writes, _) in enumerate(self.steps) for key in (*reads, *writes)}
        live, peak = {_storage(image)}, 0
        for step, (reads, writes, overwrites) in enumerate(self.steps):
            new = [key for key in writes if key not in live and key not in reads]
            dying = [key for key in reads if key in live and last_use[key] == step]
            shared = overwrites and new and any(self.elements[key] == self.elements[new[0]] for key in dying)
            live.update(new)
            peak = max(peak, sum(self.elements[key] for key in live) - (self.elements[new[0]] if shared else 0))
            live = {key for key in live if last_use.get(key, -1) > step}
        return peak


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
