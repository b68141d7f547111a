"""Units as detectors: which unit of a map is active where a feature is, or for which class.

Where masks of features are known, a unit is thresholded at the 4 % of positions at which it is most active, and
compared with each mask by intersection over union; above 0.04 it counts as a detector (Network Dissection, arXiv
1704.05796, in the settings of its public code; Zhou et al. 2014, arXiv 1412.6856, had people say what units detect).
Several features of one unit, and several units of one feature, are what superposition looks like from outside. Without
masks, a unit's area under the ROC curve (AUC) for a class tells how well its mean activity alone separates that class.
"""

import pandas as pd
import torch
import torch.nn.functional as F
from scipy.stats import rankdata
from torch import Tensor

from lowparam.interference.measures.known_detectors import OVERLAP, QUANTILE

__all__ = ["class_auc", "dissect", "summarise", "unit_table"]


def dissect(maps: Tensor, masks: Tensor, *, share: float = QUANTILE) -> Tensor:
    """Return the intersection over union of each unit and each feature, over all images, (units, features).

    Parameters
    ----------
    maps : Tensor
        (N, units, h, w); enlarged to the masks.
    masks : Tensor
        Boolean (N, features, H, W).
    share : float
        Share of all positions at which a unit counts as active, those where it is most active.
    """
    large = F.interpolate(maps.double(), masks.shape[2:], mode="bilinear", align_corners=False)
    rows = large.movedim(1, 0).flatten(1)
    wanted = max(1, round(share * rows.shape[1]))
    threshold = rows.topk(wanted, dim=1).values[:, -1:]
    active = ((rows >= threshold) & (rows > rows.amin(1, keepdim=True))).double()  # a constant unit is never active
    features = masks.movedim(1, 0).flatten(1).to(active)
    both = active @ features.T
    either = active.sum(1)[:, None] + features.sum(1)[None] - both
    return both / either.clamp(min=1)


def summarise(overlaps: Tensor) -> dict[str, float]:
    """Return how many features have a detector, and how units and features share each other.

    ``detected``: share of features that a unit detects. ``features_per_unit``, ``units_per_feature``: means over the
    units that detect any, and the features that are detected; NaN if there is none.
    """
    detects = overlaps > OVERLAP
    per_unit, per_feature = detects.sum(1).double(), detects.sum(0).double()
    return {
        "detected": (per_feature > 0).double().mean().item(),
        "features_per_unit": per_unit[per_unit > 0].mean().item(),
        "units_per_feature": per_feature[per_feature > 0].mean().item(),
    }


def class_auc(maps: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return the AUC of each unit's mean activity for each class, (units, classes), from 0 to 1; 0.5 by chance.

    NaN for a class without images, or without others. `maps` is (N, units, ...), `labels` (N,).
    """
    pooled = maps.flatten(2).mean(2).double()
    ranks = torch.from_numpy(rankdata(pooled.numpy(force=True), axis=0)).T  # (units, N)
    of = F.one_hot(labels.cpu(), classes).double()
    inside = of.sum(0)
    wins = ranks @ of - inside * (inside + 1) / 2
    return torch.where((inside > 0) & (inside < len(labels)), wins / (inside * (len(labels) - inside)), torch.nan)


def unit_table(auc: Tensor, classes: list[str]) -> pd.DataFrame:
    """Return the class that each unit separates best: unit, class, auc; in the order of AUC."""
    best, which = torch.nan_to_num(auc, nan=0.0).max(1)
    rows = {"unit": range(len(auc)), "class": [classes[k] for k in which.tolist()], "auc": best.tolist()}
    return pd.DataFrame(rows).sort_values("auc", ascending=False, kind="stable", ignore_index=True)
