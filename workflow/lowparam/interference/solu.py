"""M6, the SoLU gap: what a network loses when SoLU is put into it, and what the controls leave of that.

The gap is accuracy without minus accuracy with SoLU, paired by seed. It is an optimisation quantity first: SoLU shrinks
activations, and a network that learns slower has not thereby shown interference. So the gap of the training images
stands beside it (if that is as large, the network is under-fitted), and every control has a gap of its own:
activations that differ from SoLU in one thing each (scale, a norm behind it, the amount of inhibition). A gap that a
control shows as well is not evidence of interference.
"""

import numpy as np
import pandas as pd
from scipy import stats

__all__ = ["gaps", "summarise"]

BASE = "none"


def gaps(runs: pd.DataFrame, *, base: str = BASE, part: str = "test") -> pd.DataFrame:
    """Gap of each run with a probe to the run without, same architecture, budget and seed.

    Parameters
    ----------
    runs : DataFrame
        A row a run: architecture, probe, budget, seed, ``<part>_accuracy`` and, if there, ``train_accuracy``, as
        fractions. Runs without an accuracy (diverged) give no pair.
    base : str
        The probe to compare with.
    part : str
        The images whose accuracy counts.

    Returns
    -------
    DataFrame
        A row a pair: architecture, probe, budget, seed, gap, relative_gap (over the accuracy without) and
        train_gap, fractions.
    """
    keys = ["architecture", "budget", "seed"]
    column = f"{part}_accuracy"
    columns = [column, *(["train_accuracy"] if "train_accuracy" in runs and part != "train" else [])]
    runs = runs.dropna(subset=[column])
    without = runs[runs["probe"] == base][[*keys, *columns]]
    pairs = runs[runs["probe"] != base].merge(without, on=keys, suffixes=("", "_base"), validate="many_to_one")
    return pd.DataFrame(
        {
            "architecture": pairs["architecture"],
            "probe": pairs["probe"],
            "budget": pairs["budget"],
            "seed": pairs["seed"],
            "gap": pairs[f"{column}_base"] - pairs[column],
            "relative_gap": 1 - pairs[column] / pairs[f"{column}_base"],
            "train_gap": pairs["train_accuracy_base"] - pairs["train_accuracy"]
            if "train_accuracy_base" in pairs
            else np.nan,
        }
    )


def summarise(pairs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Mean gap over seeds with its t interval, by architecture, probe and budget.

    Returns
    -------
    DataFrame
        architecture, probe, budget, seeds, gap, lower, upper, relative_gap, train_gap. ``lower`` and ``upper`` are
        NaN with one seed.
    """
    rows = []
    for key, group in pairs.groupby(["architecture", "probe", "budget"], sort=False):
        seeds, mean = len(group), group["gap"].mean()
        half = stats.t.ppf((1 + level) / 2, seeds - 1) * group["gap"].std() / np.sqrt(seeds) if seeds > 1 else np.nan
        rows.append(
            {
                **dict(zip(("architecture", "probe", "budget"), key, strict=True)),
                "seeds": seeds,
                "gap": mean,
                "lower": mean - half,
                "upper": mean + half,
                "relative_gap": group["relative_gap"].mean(),
                "train_gap": group["train_gap"].mean(),
            }
        )
    return pd.DataFrame(rows)
