"""Select the best of several recipes, so that no arm is worse only because one learning rate does not suit it."""

import numpy as np
import pandas as pd

from lowparam.claims.finding import NotTested

__all__ = ["best_variants"]


def best_variants(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the variant of each architecture and probe with the best validation accuracy, named as the architecture.

    The best variant has the highest mean validation accuracy over seeds and budgets; a run that diverged counts as
    zero. What is compared afterwards is measured on test images, which this selection has not seen.

    Parameters
    ----------
    runs : DataFrame
        As in runs.csv, with variants after an @: ``mobilenetv2@lr0.01``.

    Raises
    ------
    NotTested
        If no run is a variant.
    """
    parts = runs["architecture"].str.partition("@")
    if not (parts[2] != "").any():
        raise NotTested("no run is a variant of its recipe")
    validated = np.where(runs["status"] == "diverged", 0.0, runs["validation_accuracy"])
    arms = [parts[0], runs["probe"]]
    means = pd.Series(validated, runs.index).groupby([*arms, parts[2]], sort=False).transform("mean")
    best = runs[["architecture"]].assign(mean=means).groupby(arms, sort=False)["mean"].idxmax()
    is_best = parts[2] == best.map(parts[2]).reindex(pd.MultiIndex.from_arrays(arms)).to_numpy()
    return runs[is_best].assign(architecture=parts.loc[is_best, 0])
