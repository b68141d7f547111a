"""Layers that torch computes slowly, or with much memory, in small networks on a CPU, computed another way.

Each computes what torch's layer computes, up to the order of the sums. docs/performance.md has what they gain.
Where the compiled operators are built, `lowparam.models.layers.fused` computes the same with them while training.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["GELU", "VERSION", "DepthwiseConv2d", "PointwiseConv2d", "ReLU6", "accelerate"]

VERSION = 1
"""Of the compiled layers: raise it if their results change by more than rounding, which makes runs stale."""

LARGEST_MAP = 8  # height of a map above which oneDNN's own gradient is as fast


def accelerate(net: nn.Module) -> None:
    """Replace the layers of a network by the faster ones of this file where they can be, in place.

    Only the class of the modules changes: parameters, names and hooks stay.
    """
    from lowparam.models.layers import fused  # it builds on this file

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
    fused.fuse(net, VERSION)


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 convolution as a matrix product over the channels, which lie next to each other in channels_last."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class GELU(nn.GELU):
    """GELU over channels that lie last: torch has oneDNN's kernel for contiguous tensors alone."""

    def forward(self, x: Tensor) -> Tensor:
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

    def forward(self, x: Tensor) -> Tensor:
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
