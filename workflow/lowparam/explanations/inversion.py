"""Invert a representation: an image whose map is that of a given image, to see what the map keeps of it.

Minimises |f(x) - f(x0)|^2 / |f(x0)|^2 plus a penalty on large pixels, the mean of |x|^6, and one on differences of
neighbouring pixels (Mahendran & Vedaldi 2014, arXiv 1412.0035, equations 2 to 5, with exponents 6 and 2). It begins
with the mean image, so what a map does not keep stays grey where the map is linear. The relative error of the map tells
whether the search has arrived; images of different networks should be compared only if it has.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lowparam.explanations.visualisation import variation

__all__ = ["invert"]


def invert(
    represent: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    smoothness: float = 1e-4,
    size: float = 1e-4,
    steps: int = 100,
) -> tuple[Tensor, Tensor]:
    """Return images with the same representation as some images, and the relative errors of their representations.

    Parameters
    ----------
    represent : callable
        From images (N, C, H, W) to their representations (N, ...).
    images : Tensor
        (N, C, H, W), normalised.
    smoothness, size : float
        Weights of the penalties, each a mean over the pixels of an image.
    steps : int
        Most steps of L-BFGS, which goes only where the gradients point.

    Returns
    -------
    Tensor, Tensor
        (N, C, H, W), and |f(x) - f(x0)|^2 / |f(x0)|^2 of each, (N,).
    """
    with torch.no_grad():
        wanted = represent(images).flatten(1)
    scale = wanted.square().sum(1).clamp(min=1e-12)
    generator = torch.Generator().manual_seed(0)
    found = 0.01 * torch.randn(images.shape, generator=generator).to(images)  # at 0 a rectified map has no gradient
    found.requires_grad_()
    optimiser = torch.optim.LBFGS([found], max_iter=steps, history_size=20, line_search_fn="strong_wolfe")
    pixels = images[0].numel()

    def error() -> Tensor:
        return (represent(found).flatten(1) - wanted).square().sum(1) / scale

    def close() -> Tensor:
        with torch.enable_grad():
            penalty = (size * found.pow(6).flatten(1).sum(1) + smoothness * variation(found)) / pixels
            loss = (error() + penalty).sum()
            (found.grad,) = torch.autograd.grad(loss, found)
        return loss.detach()

    optimiser.step(close)
    with torch.no_grad():
        return found.detach(), error()
