"""The layers of `lowparam.models.layers.fast` as compiled operators, if these are built.

The operators are those of `lowparam.models.layers.compiled`. They run while a network trains on one thread. Evaluation,
hooks on a layer inside, other types than float32, and machines without a compiler do without. They change rounding
alone, so no change of this file makes a run stale; ``VERSION`` in fast.py is for a change of more.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from lowparam.models.layers import compiled
from lowparam.models.layers.conv import ConvNormAct
from lowparam.models.layers.fast import GELU, DepthwiseConv2d, PointwiseConv2d, ReLU6
from lowparam.models.layers.norm import LayerNorm2d

__all__ = ["FusedConvNormAct", "fuse"]


def fuse(net: nn.Module, version: int) -> None:
    """Let the layers of an accelerated network run as compiled operators where they can, in place.

    Only the class of the modules changes. Nothing happens if the operators are not built.

    Parameters
    ----------
    net : torch.nn.Module
        A network after `lowparam.models.layers.fast.accelerate`.
    version : int
        Of what the operators compute; it is part of the identity of a run because fast.py names it.
    """
    if compiled.loaded() is None:
        return
    for module in net.modules():
        if type(module) in FUSED:
            module.__class__ = FUSED[type(module)]


def _compiled(module: nn.Module, x: Tensor) -> bool:
    """Return whether the compiled layers are there and cover a module in training and its input."""
    return (
        compiled.loaded() is not None
        and module.training
        and type(x) is Tensor
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and x.dim() == 4
        and x.numel() > 0
        and torch.is_grad_enabled()
        and torch.get_num_threads() == 1
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._are_functorch_transforms_active()
        and not torch.compiler.is_compiling()
    )


def _is_hooked(module: nn.Module) -> bool:
    """Return whether something reads or changes what goes into a module or comes out of it."""
    return bool(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    )


def _conv_norm_act(x: Tensor, conv: nn.Conv2d | None, norm: nn.BatchNorm2d | None, activation: str) -> Tensor:
    """Run a convolution, a norm and an activation, as many as there are, as one compiled node."""
    weight, bias, stride = (conv.weight, conv.bias, conv.stride[0]) if conv is not None else (None, None, 1)
    operator, code = torch.ops.lowparam.conv_norm_act, ACTIVATIONS[activation]
    if norm is None:
        return operator(x, weight, bias, stride, None, None, None, None, 0.0, 0.0, code)
    norm.num_batches_tracked.add_(1)
    statistics = (norm.running_mean, norm.running_var, norm.momentum, norm.eps)
    return operator(x, weight, bias, stride, norm.weight, norm.bias, *statistics, code)


ACTIVATIONS = {"none": 0, "relu": 1, "relu6": 2, "hardswish": 3, "gelu": 4}
"""Numbers of the activations in compiled.cpp."""


def _activation(module: nn.Module | None) -> str | None:
    """Return the name of an activation that is compiled; None for any other."""
    if module is None or type(module) is nn.Identity:
        return "none"
    if type(module) is FusedGELU and module.approximate == "none":
        return "gelu"
    names = {nn.ReLU: "relu", nn.ReLU6: "relu6", ReLU6: "relu6", nn.Hardswish: "hardswish"}
    return names.get(type(module))


class FusedConvNormAct(ConvNormAct):
    """A convolution, batch norm and activation as one node while training, with the convolution if it is compiled."""

    def forward(self, x: Tensor) -> Tensor:
        conv, norm, act = self.conv, self.norm, getattr(self, "act", None)
        activation = _activation(act)
        if (
            activation is None
            or type(norm) is not FusedBatchNorm2d
            or not norm.is_covered
            or not _compiled(norm, x)
            or any(_is_hooked(module) for module in (conv, norm, act) if module is not None)
            or _has_any_global_hook()
        ):
            return super().forward(x)
        if not (isinstance(conv, FusedPointwiseConv2d | FusedDepthwiseConv2d) and conv.is_covered):
            x, conv = conv(x), None
        elif x.shape[0] * x.shape[2] * x.shape[3] <= conv.stride[0] ** 2:
            return super().forward(x)  # one value a channel, which batch norm refuses
        if conv is None and x.numel() == x.shape[1]:
            return norm(x) if act is None else act(norm(x))
        return _conv_norm_act(x, conv, norm, activation)


class FusedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm as one pass over what it reads and one over what it writes."""

    @property
    def is_covered(self) -> bool:
        """Whether it keeps running statistics and has a scale and a shift."""
        return self.affine and self.track_running_stats and self.momentum is not None

    def forward(self, x: Tensor) -> Tensor:
        if self.is_covered and _compiled(self, x) and x.numel() > x.shape[1]:
            return _conv_norm_act(x, None, self, "none")
        return super().forward(x)


class FusedLayerNorm2d(LayerNorm2d):
    """Layer norm over channels as one node."""

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is not None and _compiled(self, x):
            return torch.ops.lowparam.layer_norm(x, self.weight, self.bias, self.eps)
        return super().forward(x)


class FusedPointwiseConv2d(PointwiseConv2d):
    """A 1x1 convolution as a compiled operator."""

    is_covered = True

    def forward(self, x: Tensor) -> Tensor:
        return _conv_norm_act(x, self, None, "none") if _compiled(self, x) else super().forward(x)


class FusedDepthwiseConv2d(DepthwiseConv2d):
    """A depthwise convolution as a compiled operator."""

    @property
    def is_covered(self) -> bool:
        """Whether its kernel and stride are compiled."""
        return self.kernel_size[0] in (3, 5, 7) and self.stride[0] in (1, 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.is_covered and _compiled(self, x):
            return _conv_norm_act(x, self, None, "none")
        return super().forward(x)


class FusedGELU(GELU):
    """GELU as a compiled operator."""

    def forward(self, x: Tensor) -> Tensor:
        if self.approximate == "none" and _compiled(self, x):
            return _conv_norm_act(x, None, None, "gelu")
        return super().forward(x)


FUSED = {
    ConvNormAct: FusedConvNormAct,
    DepthwiseConv2d: FusedDepthwiseConv2d,
    GELU: FusedGELU,
    LayerNorm2d: FusedLayerNorm2d,
    PointwiseConv2d: FusedPointwiseConv2d,
    nn.BatchNorm2d: FusedBatchNorm2d,
}
"""What each layer becomes."""
