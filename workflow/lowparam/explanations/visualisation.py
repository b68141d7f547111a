"""Visualise what a unit looks for: an image that drives it, found by gradient ascent from noise.

Activation maximisation with a penalty on differences of neighbouring pixels; the first group of the taxonomy of Grün et
al. 2016 (arXiv 1606.07757), and the methods of Qin et al. 2018 (arXiv 1804.11191, section 2). The pixels stay between
the least and the largest of given images. There are many such images; this is the one that ascent from one noise finds.
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["maximise", "variation"]


def maximise(
    drive: Callable[[Tensor], Tensor],
    low: Tensor,
    high: Tensor,
    count: int,
    *,
    smoothness: float = 0.1,
    steps: int = 64,
    rate: float = 0.2,
) -> Tensor:
    """Return images that drive outputs, one each.

    Parameters
    ----------
    drive : callable
        From images (count, C, H, W) to what the i-th of them should drive, (count,).
    low, high : Tensor
        Least and largest value of pixels, (C, H, W).
    count : int
        Number of images.
    smoothness : float
        Weight of the mean squared difference of neighbouring pixels, in units of high - low.
    steps, rate
        Of Adam, on the logits of where a pixel is between low and high.
    """
    generator = torch.Generator().manual_seed(0)
    place = 0.1 * torch.randn(count, *low.shape, generator=generator).to(low.device)
    place.requires_grad_()
    optimiser = torch.optim.Adam([place], lr=rate)
    for _ in range(steps):
        share = place.sigmoid()
        with torch.enable_grad():
            loss = (smoothness * variation(share) - drive(low + (high - low) * share)).sum()
            (place.grad,) = torch.autograd.grad(loss, place)
        optimiser.step()
    return (low + (high - low) * place.sigmoid()).detach()


def variation(images: Tensor) -> Tensor:
    """Return the sum over pixels of squared differences to the next pixel to the right and below, (N,)."""
    right, below = (images.diff(dim=axis).square().flatten(1).sum(1) for axis in (3, 2))
    return right + below
