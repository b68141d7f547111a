"""Score attributions against masks: boolean images that are true where what an output should depend on is.

The pointing game counts maps whose largest value is inside the mask (Zhang et al. 2016, arXiv 1608.00507, without their
margin of pixels). The energy inside is the share of a map's positive values that is (Wang et al. 2019, arXiv
1910.01279, section 4.3). Both are, for a map that knows nothing, the share of the image that the mask has; and for one
that knows that objects are in the middle, what `centre_map` has.
"""

import pandas as pd
import torch
from torch import Tensor

from lowparam.errors import LowparamError

__all__ = ["centre_map", "energy_inside", "mask_of_label", "pointing_game", "score"]


def pointing_game(maps: Tensor, masks: Tensor) -> Tensor:
    """Return, for each image, whether the largest value of its map is inside its mask: 1, 0, or the share of ties.

    Parameters
    ----------
    maps : Tensor
        (N, H, W), of any sign.
    masks : Tensor
        Boolean (N, H, W).

    Returns
    -------
    Tensor
        float64 (N,); NaN where the mask is empty or the map is not finite.

    Raises
    ------
    LowparamError
        If the shapes differ, or the masks are not boolean.
    """
    maps, masks = _checked(maps, masks)
    largest = maps == maps.amax(1, keepdim=True)
    hits = (largest & masks).sum(1).double() / largest.sum(1)
    return torch.where(_defined(maps, masks), hits, torch.nan)


def energy_inside(maps: Tensor, masks: Tensor) -> Tensor:
    """Return, for each image, the share of the positive values of its map that is inside its mask.

    Takes and raises what `pointing_game` does; NaN also where nothing is positive.
    """
    maps, masks = _checked(maps, masks)
    positive = maps.clamp(min=0)
    share = (positive * masks).sum(1) / positive.sum(1)
    return torch.where(_defined(maps, masks), share, torch.nan)


def centre_map(height: int, width: int) -> Tensor:
    """Return a map (H, W) that knows no image: a Gaussian in the middle, whose deviation is a quarter of the side."""
    across, down = (
        torch.exp(-(((torch.arange(side) - (side - 1) / 2) / (side / 4)) ** 2) / 2) for side in (width, height)
    )
    return down[:, None] * across


def mask_of_label(masks: Tensor, labels: Tensor) -> Tensor:
    """Return the mask of each image's label (N, H, W), of masks (N, H, W) or of all features (N, F, H, W)."""
    return masks if masks.dim() == 3 else masks[torch.arange(len(masks)), labels.to(masks.device)]


def score(maps: Tensor, masks: Tensor) -> dict[str, float]:
    """Return both scores, mean over images, each with what a map that knows nothing and the centre map would have."""
    height, width = maps.shape[1:]
    centre = centre_map(height, width).expand_as(maps)
    area = masks.double().mean((1, 2))[masks.flatten(1).any(1)].mean().item()
    return {
        "pointing": pointing_game(maps, masks).nanmean().item(),
        "pointing_centre": pointing_game(centre, masks).nanmean().item(),
        "energy": energy_inside(maps, masks).nanmean().item(),
        "energy_centre": energy_inside(centre, masks).nanmean().item(),
        "area": area,
    }


def table(maps: dict[str, Tensor], masks: Tensor) -> pd.DataFrame:
    """Return the scores of several methods, a row each."""
    return pd.DataFrame([{"method": name, **score(found, masks)} for name, found in maps.items()])


def _checked(maps: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    if masks.dtype != torch.bool:
        raise LowparamError(f"masks must be boolean, not {str(masks.dtype).removeprefix('torch.')}")
    if maps.dim() != 3 or maps.shape != masks.shape:
        raise LowparamError(f"masks must have the shape of the maps, {tuple(maps.shape)}, not {tuple(masks.shape)}")
    return maps.double().flatten(1), masks.flatten(1)


def _defined(maps: Tensor, masks: Tensor) -> Tensor:
    return masks.any(1) & torch.isfinite(maps).all(1)
