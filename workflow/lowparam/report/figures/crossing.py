"""Lead of one scaling curve over another, and where it crosses zero."""

import numpy as np
from matplotlib.figure import Figure

from lowparam.claims.contrasts import unit_of
from lowparam.report.context import Context
from lowparam.report.figures._tests import SIZES, draw_seeds, findings_in
from lowparam.report.layout import panels, size_axis, value_axis
from lowparam.report.style import only_text

CAPTION = (
    "Lead of one scaling curve over another with the fitted line, one panel for each test. Thin lines are seeds, "
    "points the mean with 95 % t interval, none where a seed diverged. The band is Fieller's interval of the crossing "
    "point, clipped to the range of sizes. "
    "Arrows: the interval is longer than the axis."
)
OF = "verdicts"
ORDER = 3
SHOWN = True


def make(context: Context) -> Figure:
    """Draw one panel for each test that compares two scaling curves."""
    tests = list(findings_in(context, "crossing"))
    if not tests:
        return only_text("No two scaling curves can be compared in these runs.")
    figure, axes = panels(len(tests))
    for ax, (title, test, finding) in zip(axes, tests, strict=True):
        sizes, values = finding.data["sizes"], finding.data["lead"]
        ax.plot(sizes, values, color="0.75", linewidth=0.6)
        draw_seeds(ax, sizes, values, color="C0", marker="o", linestyle="")
        complete = np.isfinite(values).all(axis=1)
        if complete.sum() > 1:
            line = np.polyfit(np.log(sizes[complete]), values[complete].mean(axis=1), 1)
            ax.plot(sizes, np.polyval(line, np.log(sizes)), color="C0", linewidth=1)
        ax.axhline(0, color="0.3", linewidth=0.8)
        size_axis([ax], sizes)
        limits = ax.get_xlim()
        if finding.low < limits[1] and finding.high > limits[0]:
            ax.axvspan(max(finding.low, limits[0]), min(finding.high, limits[1]), color="C1", alpha=0.15, linewidth=0)
        if limits[0] < finding.estimate < limits[1]:
            ax.axvline(finding.estimate, color="C1", linewidth=1)
        value_axis([ax], include=[0, *values.ravel()])
        ax.set_xlabel(SIZES.get(test.size, test.size))
        ax.set_ylabel(f"lead ({unit_of(test.outcome)})")
        ax.set_title(title)
    return figure
