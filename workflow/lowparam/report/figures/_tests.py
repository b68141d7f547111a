"""Panels and marks that figures of the tests behind verdicts share."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from lowparam.claims.base import ClaimTest
from lowparam.claims.finding import Finding
from lowparam.claims.statistics import mean_interval
from lowparam.params import format_budget
from lowparam.report.context import Context
from lowparam.report.style import TEXT_WIDTH

__all__ = ["SIZES", "draw_means", "findings_in", "make_panels", "size_axis"]

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


def make_panels(count: int) -> tuple[Figure, np.ndarray]:
    """Make panels, up to three in a row; those left over are empty."""
    columns = min(3, count)
    rows = -(-count // columns)
    size = (TEXT_WIDTH * columns / 3 if columns > 1 else 3.0, 2.1 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return figure, axes


def draw_means(ax: Axes, x: np.ndarray, values: np.ndarray, **style) -> None:
    """Draw the mean over seeds with its 95 % interval, for values of shape (k, seeds).

    There is no point where a seed is missing because it diverged.
    """
    estimates = [mean_interval(seeds) for seeds in values]
    ax.errorbar(x, [e.mean for e in estimates], yerr=[e.half_width for e in estimates], capsize=1.5, **style)


def size_axis(ax: Axes) -> None:
    """Give the x axis a logarithmic scale with labels such as 25k."""
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda size, _: format_budget(round(size)) if size >= 1 else ""))
    ax.xaxis.set_minor_formatter(NullFormatter())
