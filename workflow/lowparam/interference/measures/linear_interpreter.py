"""Linear interpreter: which linear map of the pixels a network is at an image, and how much its biases decide.

With every activation fixed to the factor that it has at an image, a network is f(x) = J x + b: the rows of J are images
of the classes, and b collects all biases (Navarrete Michelini et al. 2019, arXiv 1908.05168). An activation a(x) is the
factor a(x) / x, a product of two branches half of each with the other fixed, and a layer norm divides by a fixed
deviation: a reading for all but rectified units, for which J is the gradient. Gates that are no module of their own and
attention count by their gradient, so b then also has what that leaves. It depends on where pixels have their zero.
`bias_share` is |b|^2 / (|b|^2 + |J x|^2), each centred over the classes; `class_image_dimensionality` is D of the rows
of J less their mean, at most 1 - 1/K of what K directions can have.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.measures.channel_linearity import find_activations
from lowparam.interference.measures.dimensionality import dimensionality
from lowparam.models.layers import Product

__all__ = ["fixed_gates", "interpret", "measure"]

PLACE = 126
NEEDS = ("logits",)
COST = 0.34
VALUES = {
    "bias_share": {
        "means": "share of the logits that biases decide, next to the linear map of the pixels",
        "range": "0 to 1",
        "null": "none",
        "at": "the network",
    },
    "class_image_dimensionality": {
        "means": "D of the images of the classes, the rows of the linear map of the pixels",
        "range": "0 to 1",
        "null": "random images of the same norms",
        "at": "the network",
    },
}
SUMMARY = {
    "bias_share": {"value": "bias_share", "means": "share of the logits that biases decide"},
    "class_image_dimensionality": {
        "value": "class_image_dimensionality",
        "means": "D of the images of the classes",
    },
}
IMAGES, CLASSES = 32, 20


@contextmanager
def fixed_gates(net: nn.Module) -> Generator[None]:
    """Let gradients see every activation, product of branches and layer norm of a network as the factor that it is."""
    handles, inputs = [], {}

    def before(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple) -> None:
            inputs[name] = [x.clone() for x in args]  # the activation may work in place

        return hook

    def after(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
            given = inputs.pop(name)
            if isinstance(module, Product):
                first, second = given
                return output.detach() + (_halves(first, second) - _halves(first, second).detach())
            (x,) = given
            factor = torch.where(x == 0, 0, output / x).detach()
            return output.detach() + (factor * x - (factor * x).detach())

        return hook

    def norm(module: nn.LayerNorm, args: tuple, output: Tensor) -> Tensor:
        x, weight = args[0], 1 if module.weight is None else module.weight
        axes = tuple(range(-len(module.normalized_shape), 0))
        if type(module) is not nn.LayerNorm and x.dim() == 4:  # over the channels of a map (N, C, H, W)
            axes, weight = (1,), weight if module.weight is None else module.weight[:, None, None]
        centred = x - x.mean(axes, keepdim=True)
        scale = (x.var(axes, keepdim=True, correction=0) + module.eps).rsqrt().detach()
        linear = centred * scale * weight
        return output.detach() + (linear - linear.detach())

    for name, module in find_activations(net).items():
        handles += [module.register_forward_pre_hook(before(name)), module.register_forward_hook(after(name))]
    handles += [m.register_forward_hook(norm) for m in net.modules() if isinstance(m, nn.LayerNorm)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _halves(first: Tensor, second: Tensor) -> Tensor:
    return (first * second.detach() + first.detach() * second) / 2


def interpret(net: nn.Module, images: Tensor, outputs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return J (N, K, pixels), J x (N, K) and the outputs (N, K), of the first outputs, in float64."""
    x = images.clone().requires_grad_()
    with torch.enable_grad(), fixed_gates(net):
        logits = net(x)[:, :outputs]
        rows = [torch.autograd.grad(logits[:, k].sum(), x, retain_graph=True)[0] for k in range(logits.shape[1])]
    maps = torch.stack(rows, 1).flatten(2).double()
    return maps, (maps * images.flatten(1)[:, None].double()).sum(2), logits.detach().double()


def measure(context: Context) -> list[Value]:
    """Measure the network on 32 images and up to 20 classes."""
    index = spread(context.images, IMAGES)
    images = context.images.pixels(index).to(context.device)
    maps, linear, logits = (value.cpu() for value in interpret(context.net, images, CLASSES))
    shape = {"kind": "the network", "n": maps.shape[1], "m": maps.shape[2]}
    if not torch.isfinite(maps).all() or maps.shape[1] < 3:
        return [undefined(value, "gradients are not finite, or of fewer than 3 outputs", **shape) for value in VALUES]
    bias = logits - linear
    sizes = [(value - value.mean(1, keepdim=True)).square().sum(1) for value in (bias, linear)]
    shares = sizes[0] / (sizes[0] + sizes[1])
    directions = (maps - maps.mean(1, keepdim=True)).mT
    dimensions = dimensionality(directions).mean(-1)
    random = torch.randn(directions.shape, generator=torch.Generator().manual_seed(0)).double()
    random = nn.functional.normalize(random, dim=1) * directions.norm(dim=1, keepdim=True)
    null = dimensionality(random - random.mean(2, keepdim=True)).mean(-1).nanmean().item()
    return [
        _over_images("bias_share", shares, context.settings.folds, shape),
        _over_images("class_image_dimensionality", dimensions, context.settings.folds, {**shape, "null": null}),
    ]


def _over_images(measure: str, every: Tensor, folds: int, shape: dict) -> Value:
    """Return the mean over images with an interval from folds left out."""
    if not torch.isfinite(every).all():
        return undefined(measure, "an image has no linear part", **shape)
    fold = torch.arange(len(every)) % min(folds, len(every))
    left_out = [every[fold != one].mean().item() for one in fold.unique()]
    lower, upper = interval(every.mean().item(), left_out)
    return Value(measure, value=every.mean().item(), lower=lower, upper=upper, **shape)
