"""Random changes of training images, one batch at a time, each image with its own draw.

All draws of an epoch are made before its first step, from the seed and the epoch alone. So two architectures with the
same seed see the same images in the same order, changed in the same way, and a resumed run
continues as if it had not stopped.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lowparam.params import Augment

__all__ = ["Draws", "change_pixels", "draw", "generator", "mix"]


@dataclass(frozen=True)
class Draws:
    """The random numbers of an epoch, a row an image, in the order in which images are visited.

    Parameters
    ----------
    order : Tensor
        int64 (N,): which image comes when.
    shift : Tensor
        int64 (N, 2): row and column at which the padded image is cut.
    flip : Tensor
        bool (N,): whether the image is mirrored.
    angle : Tensor
        float32 (N,): rotation in radians.
    hole : Tensor
        float32 (N, 2): centre of the cutout as a share of height and width.
    share : Tensor
        float32 (N,): how much of itself an image keeps when mixed.
    patch : Tensor
        bool (N,): whether it is mixed by a patch (cutmix) or by a sum (mixup).
    patch_centre : Tensor
        float32 (N, 2): centre of the patch as a share of height and width.
    """

    order: Tensor
    shift: Tensor
    flip: Tensor
    angle: Tensor
    hole: Tensor
    share: Tensor
    patch: Tensor
    patch_centre: Tensor

    def batches(self, size: int) -> list["Draws"]:
        """Divide the epoch evenly into the fewest batches of at most `size` images.

        All images are used, and no batch is much smaller than the others, as a rest would be: batch norm would take
        its statistics from a handful of images there.
        """
        count = math.ceil(len(self.order) / size)
        parts = [getattr(self, name).tensor_split(count) for name in self.__dataclass_fields__]
        return [Draws(*part) for part in zip(*parts, strict=True)]

    def to(self, device: torch.device) -> "Draws":
        """Move all draws to a device."""
        return Draws(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def generator(seed: int, epoch: int) -> torch.Generator:
    """Return the source of all random numbers of an epoch; neighbouring seeds and epochs have unrelated ones."""
    state = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


def draw(count: int, augment: Augment, random: torch.Generator) -> Draws:
    """Draw the order and the changes of `count` images, always on the CPU, so that every device sees the same.

    Mixing shares follow Beta(alpha, alpha) (mixup: Zhang et al. 2018, section 2; cutmix: Yun et al. 2019, section 3.1).
    Where a recipe has both, each image takes either with probability 1/2.
    """
    order = torch.randperm(count, generator=random)
    shift = torch.randint(2 * augment.crop_padding + 1, (count, 2), generator=random)
    uniform = torch.rand(count, 7, generator=random)
    patch_odds = 0.5 if augment.mixup and augment.cutmix else float(augment.cutmix > 0)
    patch = uniform[:, 0] < patch_odds
    share = torch.where(patch, _beta(augment.cutmix, count, random), _beta(augment.mixup, count, random))
    return Draws(
        order=order,
        shift=shift,
        flip=(uniform[:, 1] < 0.5) & augment.flip,
        angle=(2 * uniform[:, 2] - 1) * math.radians(augment.rotation),
        hole=uniform[:, 3:5],
        share=share,
        patch=patch,
        patch_centre=uniform[:, 5:7],
    )


def _beta(alpha: float, count: int, random: torch.Generator) -> Tensor:
    """Draw from Beta(alpha, alpha) as the ratio of two Gamma variates; 1, which mixes nothing, for alpha 0."""
    if not alpha:
        return torch.ones(count)
    gamma = torch._standard_gamma(torch.full((2, count), alpha, dtype=torch.float64), generator=random)
    return (gamma[0] / gamma.sum(0)).float()


def change_pixels(pixels: Tensor, draws: Draws, augment: Augment) -> Tensor:
    """Crop, mirror and rotate images.

    Parameters
    ----------
    pixels : Tensor
        uint8 (B, C, H, W), already in the order of the draws.
    draws : Draws
        The draws of this batch.
    augment : Augment
        What to change.

    Returns
    -------
    Tensor
        uint8 (B, C, H, W), or float32 if rotated. What comes in from outside the image is 0, as in torchvision.
    """
    height, width = pixels.shape[2:]
    if augment.crop_padding or augment.flip:
        across = torch.arange(width, device=pixels.device).expand(len(pixels), width)
        across = torch.where(draws.flip[:, None], width - 1 - across, across)
        columns = draws.shift[:, 1, None] + across
        rows = draws.shift[:, 0, None] + torch.arange(height, device=pixels.device)
        pixels = F.pad(pixels, [augment.crop_padding] * 4)
        image = torch.arange(len(pixels), device=pixels.device)
        # Indices on both sides of a slice put the slice last: (B, H, W, C), which is what channels_last wants.
        pixels = pixels[image[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if augment.rotation:
        pixels = _rotate(pixels.float(), draws.angle)
    return pixels


def _rotate(pixels: Tensor, angle: Tensor) -> Tensor:
    """Rotate square images about their centres, bilinearly."""
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    matrix = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
    grid = F.affine_grid(matrix, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, align_corners=False)


def mix(images: Tensor, labels: Tensor, draws: Draws, augment: Augment, classes: int) -> tuple[Tensor, Tensor]:
    """Cut holes into normalised images and mix them with one another.

    Parameters
    ----------
    images : Tensor
        float32 (B, C, H, W), normalised, so that 0 is the mean.
    labels : Tensor
        int64 (B,).
    draws : Draws
        The draws of this batch.
    augment : Augment
        What to do: cutout (DeVries and Taylor 2017), mixup, cutmix.
    classes : int
        Number of classes.

    Returns
    -------
    images : Tensor
        float32 (B, C, H, W).
    targets : Tensor
        int64 (B,) if nothing is mixed, else probabilities, float32 (B, classes).
    """
    if augment.cutout:
        images = images.masked_fill(_square(images, draws.hole, torch.full_like(draws.share, augment.cutout)), 0)
    if not (augment.mixup or augment.cutmix):
        return images, labels
    others = images.roll(1, 0)  # the order is random, so the neighbour is a random partner
    share = draws.share
    if augment.cutmix:
        patch = _square(images, draws.patch_centre, (1 - share).sqrt() * images.shape[2]) & draws.patch.view(
            -1, 1, 1, 1
        )
        share = torch.where(draws.patch, 1 - patch.float().mean((1, 2, 3)), share)
        images = images.where(~patch, others)
    weight = torch.where(draws.patch, torch.ones_like(share), share).view(-1, 1, 1, 1)
    targets = F.one_hot(labels, classes).to(share.dtype)
    targets = share[:, None] * targets + (1 - share[:, None]) * targets.roll(1, 0)
    return weight * images + (1 - weight) * others, targets


def _square(images: Tensor, centre: Tensor, side: Tensor) -> Tensor:
    """Mark a square in each image, cut off at the border: bool (B, 1, H, W)."""
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device) + 0.5 - centre[:, :1] * height
    columns = torch.arange(width, device=images.device) + 0.5 - centre[:, 1:] * width
    inside = (rows.abs() <= side[:, None] / 2)[:, :, None] & (columns.abs() <= side[:, None] / 2)[:, None, :]
    return inside[:, None]
