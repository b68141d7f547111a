"""The best of several recipes: an arm is not worse only because one learning rate does not suit it."""

import numpy as np
import pandas as pd

from lowparam.claims.finding import NotTested

__all__ = ["best_variants"]


def best_variants(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the variant of each architecture and activation that does best in validation, as the architecture itself.

    The choice is made by the mean validation accuracy over seeds and budgets, where a run that diverged counts as
    zero; what is compared afterwards is measured on test images, which the choice has not seen.

    Parameters
    ----------
    runs : DataFrame
        As in runs.csv, with variants behind an @: ``mobilenetv2@lr0.01``.

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
    chosen = parts[2] == best.map(parts[2]).reindex(pd.MultiIndex.from_arrays(arms)).to_numpy()
    return runs[chosen].assign(architecture=parts.loc[chosen, 0])
