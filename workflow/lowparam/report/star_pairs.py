"""Star networks and the same networks with sums, measure by measure."""

from dataclasses import replace

import pandas as pd

from lowparam.studies.star.names import parsed, sum_partner

__all__ = ["MEASURES", "paired"]

MEASURES = {
    "dimensionality_join": ("D of joined features", 2),
    "r_join": ("r of joined features", 2),
    "quadratic_share": ("quadratic share of products", 2),
    "lift_join": ("effective dimensions, joined / input", 2),
    "log_ci_join": ("log CI where branches join, nats", 2),
    "r_projection": ("r of projections", 2),
    "log_ci_projection": ("log CI of projections, nats", 2),
    "chi_stages": ("class cross-talk χ", 3),
    "capacity_used": ("capacity used of streams, PR / C", 3),
}
"""Columns of runs.csv with their printed names and digits."""


def paired(runs: pd.DataFrame) -> pd.DataFrame:
    """Pair every star network with the same network with sums.

    Returns
    -------
    DataFrame
        One row for each star network, seed and measure: ``pair`` (the star network without its size), ``network``,
        ``budget``, ``seed``, ``parameters``, ``measure``, ``sum``, ``star``.
    """
    base = runs[runs["probe"] == "none"].set_index(["architecture", "budget", "seed"])
    rows = []
    for name, budget, seed in base.index:
        partner = (sum_partner(name), budget, seed)
        if partner not in base.index:
            continue
        for measure in MEASURES:
            rows.append(
                {
                    "pair": replace(parsed(name), size="").name,
                    "network": name,
                    "budget": budget,
                    "seed": seed,
                    "parameters": base.loc[(name, budget, seed), "parameters_total"],
                    "measure": measure,
                    "sum": base.loc[partner, measure],
                    "star": base.loc[(name, budget, seed), measure],
                }
            )
    return pd.DataFrame(rows)
