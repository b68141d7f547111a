"""Change of accuracy against change of interference, a point for each design element on each block."""

import numpy as np
from matplotlib.figure import Figure

from lowparam.claims.contrasts import unit_of
from lowparam.claims.elements import slope_over_elements
from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.figures._tests import findings_in
from lowparam.report.labels import architecture_label
from lowparam.report.layout import legend, panels, value_axis
from lowparam.report.style import looks, only_text

CAPTION = (
    "Change that each design element makes to a block, in the outcome against a measure of interference, one panel "
    "for each test: points are means over seeds, paired by seed, with 95 % t interval. Dashed: slope over elements, "
    "through the mean of each block. "
    "Arrows: the interval is longer than the axis."
)
OF = "verdicts"
ORDER = 7


def make(context: Context) -> Figure:
    """Draw one panel for each test of the slope over elements."""
    tests = list(findings_in(context, "elements_slope"))
    if not tests:
        return only_text("No design elements were compared in these runs.")
    hosts = list(dict.fromkeys(host for _, _, finding in tests for host in finding.data["hosts"]))
    styles = looks(hosts)
    figure, axes = panels(len(tests), height=2.6)
    for ax, (title, test, finding) in zip(axes, tests, strict=True):
        x, y = finding.data["x"], finding.data["y"]
        slope = slope_over_elements(x, y)[0]
        for place, host in enumerate(finding.data["hosts"]):
            look = styles[host] | {"linestyle": "", "elinewidth": 0.5, "alpha": 0.8}
            there = np.isfinite(x[:, place] + y[:, place]).all(axis=1)
            across, up = ([mean_interval(seeds) for seeds in each[there, place]] for each in (x, y))
            means = [np.array([estimate.mean for estimate in each]) for each in (across, up)]
            widths = [[estimate.half_width for estimate in each] for each in (across, up)]
            ax.errorbar(*means, xerr=widths[0], yerr=widths[1], label=architecture_label(host), **look)
            if there.any():
                ends = np.array([means[0].min(), means[0].max()])
                line = means[1].mean() + slope * (ends - means[0].mean())
                ax.plot(ends, line, color=look["color"], linestyle="--", linewidth=0.9)
        ax.axhline(0, color="0.3", linewidth=0.8)
        ax.axvline(0, color="0.3", linewidth=0.8)
        ax.set_title(title)
        ax.set_xlabel(f"change of {test.measure.replace('_', ' ')}")
        ax.set_ylabel(f"change ({unit_of(test.outcome)})")
        value_axis([ax], include=[0])
        value_axis([ax], "x", include=[0])
    legend(figure)
    return figure
