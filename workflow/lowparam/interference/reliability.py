"""Compute how much of a measure's variance is between configurations, and how much between seeds of the same one."""

import pandas as pd

__all__ = ["icc", "icc_of_all"]


def icc(values: pd.Series, configurations: pd.Series) -> float:
    """Compute the intraclass correlation ICC(1) of seeds within configurations (Shrout & Fleiss 1979, case 1).

    (B - W) / (B + (k - 1) W) with B and W the mean squares between and within configurations, and k the mean number of
    seeds, corrected for unequal numbers. At most 1; about 0 if configurations do not differ; NaN with fewer than two
    configurations or no seeds to repeat.
    """
    table = pd.DataFrame({"value": values.to_numpy(), "of": configurations.to_numpy()}).dropna()
    counts = table.groupby("of")["value"].size()
    groups, total = len(counts), len(table)
    if groups < 2 or total == groups:
        return float("nan")
    means = table.groupby("of")["value"].transform("mean")
    between = ((means - table["value"].mean()) ** 2).sum() / (groups - 1)
    within = ((table["value"] - means) ** 2).sum() / (total - groups)
    size = (total - (counts**2).sum() / total) / (groups - 1)
    spread = between + (size - 1) * within
    return float((between - within) / spread) if spread > 0 else float("nan")


def icc_of_all(runs: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """Compute the ICC of each measure over runs with the columns architecture, probe, budget and the measures.

    Returns
    -------
    DataFrame
        measure, icc, configurations, runs. A measure below 0.5 says more about seeds than about configurations and
        should carry no claim about them.
    """
    of = runs["architecture"].astype(str) + "/" + runs["probe"].astype(str) + "/" + runs["budget"].astype(str)
    rows = []
    for measure in measures:
        defined = runs[measure].notna()
        rows.append(
            {
                "measure": measure,
                "icc": icc(runs[measure], of),
                "configurations": of[defined].nunique(),
                "runs": int(defined.sum()),
            }
        )
    return pd.DataFrame(rows)
