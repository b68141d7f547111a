"""Findings and marks that figures of the tests behind verdicts share."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes

from lowparam.claims.base import ClaimTest
from lowparam.claims.finding import Finding
from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.layout import draw_means

__all__ = ["SIZES", "draw_seeds", "findings_in"]

SIZES = {"parameters_total": "parameters", "parameters_body": "parameters without head", "macs": "multiply-adds"}
"""Accountings of the size of a network, columns of runs.csv, with their names in print."""


def findings_in(context: Context, figure: str) -> Iterator[tuple[str, ClaimTest, Finding]]:
    """Yield title, test and finding of every test that a figure shows and that could be made.

    Parameters
    ----------
    context : Context
        With what `lowparam.claims.judge.judge` returned as its verdicts.
    figure : str
        Name of the figure.
    """
    tests = context.registry.tests()
    for (claim, name), finding in context.verdicts.findings.items():
        test = tests[claim, name]
        if test.shown_in == figure:
            yield f"{claim} {name.replace('_', ' ')}", test, finding


def draw_seeds(ax: Axes, x: np.ndarray, values: np.ndarray, **look) -> None:
    """Draw the mean over seeds with its 95 % interval, for values of shape (k, seeds).

    There is no point where a seed is missing because it diverged.
    """
    draw_means(ax, x, [mean_interval(seeds) for seeds in values], **look)
