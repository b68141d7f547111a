"""Runs with accuracies and measures that are easy to compute with, for tables and figures of star networks."""

import itertools

import pandas as pd

from lowparam.report.star_pairs import MEASURES
from lowparam.studies.star.names import parse


def table_of(names, budgets=("10k", "25k"), seeds=(0, 1, 2)):
    """Sum 0.5, star 0.6, half a tenth less without activations, a hundredth more for each seed."""
    rows = []
    for name, budget, seed in itertools.product(names, budgets, seeds):
        star = parse(name)
        noact = star.variant == "noact"
        depth, width = star.depth_width or (4, int(budget.rstrip("k")) if budget != "published" else 8)
        rows.append(
            {
                "architecture": name,
                "probe": "none",
                "budget": budget,
                "seed": seed,
                "parameters_total": 20 * depth * width**2,
                "test_accuracy": 0.5 + 0.1 * (star.operator != "sum") - 0.05 * noact + 0.01 * seed,
                **dict.fromkeys(MEASURES, 0.2 + 0.1 * (star.operator == "star") + 0.01 * seed),
            }
        )
    return pd.DataFrame(rows)
