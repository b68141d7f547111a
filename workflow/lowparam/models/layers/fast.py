"""Layers that torch computes slowly, or with much memory, in small networks on a CPU, computed another way.

Each computes what torch's layer computes, up to the order of the sums. docs/performance.md has what they gain.
While a network trains on one thread, they run as compiled operators (`lowparam.models.layers.compiled`) if these are
built. Evaluation, hooks on a layer inside, other types than float32, and machines without a compiler do without.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.module import _has_any_global_hook

from lowparam.models.layers import compiled
from lowparam.models.layers.conv import ConvNormAct
from lowparam.models.layers.norm import LayerNorm2d

__all__ = ["GELU", "VERSION", "DepthwiseConv2d", "FusedConvNormAct", "PointwiseConv2d", "ReLU6", "accelerate"]

VERSION = 1  # of what compiled.cpp computes: raise it if results change by more than rounding

LARGEST_MAP = 8  # height of a map above which oneDNN's own gradient is as fast


def accelerate(net: nn.Module) -> None:
    """Replace the layers of a network by the faster ones of this file where they can be, in place.

    Only the class of the modules changes: parameters, names and hooks stay.
    """
    compiled.loaded()
    for module in net.modules():
        if type(module) is nn.ReLU6 and not module.inplace:
            module.__class__ = ReLU6
        elif type(module) is nn.GELU:
            module.__class__ = GELU
        elif type(module) is nn.Conv2d and module.padding_mode == "zeros" and module.dilation == (1, 1):
            kernel = module.kernel_size
            if kernel == (1, 1) and module.stride == (1, 1) and module.groups == 1 and module.padding == (0, 0):
                module.__class__ = PointwiseConv2d
            elif (
                module.groups == module.in_channels == module.out_channels
                and kernel[0] == kernel[1]
                and module.stride[0] == module.stride[1]
                and module.padding == (kernel[0] // 2, kernel[0] // 2)
            ):
                module.__class__ = DepthwiseConv2d
        elif type(module) is LayerNorm2d:
            module.__class__ = FusedLayerNorm2d
        elif type(module) is nn.BatchNorm2d:
            module.__class__ = FusedBatchNorm2d
    for module in net.modules():
        if type(module) is ConvNormAct:
            module.__class__ = FusedConvNormAct


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
    if type(module) is GELU and module.approximate == "none":
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
        if not (isinstance(conv, PointwiseConv2d | DepthwiseConv2d) and conv.is_covered):
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


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 convolution as a matrix product over the channels, which lie next to each other in channels_last."""

    is_covered = True

    def forward(self, x: Tensor) -> Tensor:
        if _compiled(self, x):
            return _conv_norm_act(x, self, None, "none")
        return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class GELU(nn.GELU):
    """GELU over channels that lie last: torch has oneDNN's kernel for contiguous tensors alone."""

    def forward(self, x: Tensor) -> Tensor:
        if self.approximate == "none" and _compiled(self, x):
            return _conv_norm_act(x, None, None, "gelu")
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class ReLU6(nn.ReLU6):
    """ReLU6 that keeps its output for the gradient, as the next convolution does, and not its input as well."""

    def forward(self, x: Tensor) -> Tensor:
        return _ReLU6.apply(x)


class _ReLU6(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        y = F.relu6(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> Tensor:  # pyrefly: ignore[bad-override]: the decorator hides the name of ctx
        return torch.ops.aten.hardtanh_backward(grad, *ctx.saved_tensors, 0.0, 6.0)


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution with a faster gradient of the weights where oneDNN falls back to its general kernel.

    It does so for kernels above 3x3 and for maps smaller than the kernel. An output of a single position is left to
    oneDNN: its gradient would be a convolution of 1x1 kernels, which is the slowest of all.
    """

    @property
    def is_covered(self) -> bool:
        """Whether its kernel and stride are compiled."""
        return self.kernel_size[0] in (3, 5, 7) and self.stride[0] in (1, 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.is_covered and _compiled(self, x):
            return _conv_norm_act(x, self, None, "none")
        kernel, stride, (height, width) = self.kernel_size[0], self.stride[0], x.shape[2:]
        falls_back = kernel > 3 or height < kernel
        if falls_back and stride < height <= LARGEST_MAP and height == width:
            return _Depthwise.apply(x, self.weight, self.bias, stride, self.padding[0])
        return super().forward(x)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, bias, stride, padding, groups=x.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # pyrefly: ignore[bad-override]: as above
        x, weight = ctx.saved_tensors
        stride, padding = [ctx.stride] * 2, [ctx.padding] * 2
        mask = [ctx.needs_input_grad[0], False, False]
        grad_x = torch.ops.aten.convolution_backward(
            grad, x, weight, None, stride, padding, [1, 1], False, [0, 0], x.shape[1], mask
        )[0]
        grad_bias = grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return grad_x, _weight_gradient(x, grad, weight.shape[2], ctx.stride, ctx.padding), grad_bias, None, None


def _weight_gradient(x: Tensor, grad: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """Return the gradient of the weights, (C, 1, kernel, kernel), as a depthwise convolution of its own.

    ``dw[c, i, j]`` is the sum over images n and positions p of ``x[n, c, stride p + (i, j) - padding] grad[n, c, p]``:
    each map of x convolved with its map of the gradient as the kernel, summed over n. Gradients of a stride are
    spread with zeros between, because oneDNN has no fast kernel for some dilations.
    """
    images, channels, height = x.shape[:3]
    extent = stride * (grad.shape[2] - 1) + 1
    maps = x.permute(2, 3, 0, 1).reshape(1, height, height, images * channels)
    spread = grad.new_zeros(extent, extent, images, channels)
    spread[::stride, ::stride] = grad.permute(2, 3, 0, 1)
    kernels = spread.view(extent, extent, 1, images * channels)
    each = F.conv2d(maps.permute(0, 3, 1, 2), kernels.permute(3, 2, 0, 1), padding=padding, groups=images * channels)
    each = each[0, :, :kernel, :kernel].permute(1, 2, 0).reshape(kernel, kernel, images, channels)
    return each.sum(2).permute(2, 0, 1)[:, None]
