"""Lead of one scaling curve over another, and where it crosses zero."""

import numpy as np
from matplotlib.figure import Figure

from lowparam.claims.finding import NotTested
from lowparam.claims.kinds.contrast import unit_of
from lowparam.claims.kinds.crossing import Crossing
from lowparam.report.context import Context
from lowparam.report.figures._tests import SIZES, draw_means, make_panels, size_axis, tests_of
from lowparam.report.style import only_text

CAPTION = (
    "Lead of one scaling curve over another with the fitted line, one panel for each test. Thin lines are seeds, "
    "points the mean with 95 % t interval. The band is Fieller's interval of the crossing point, clipped to the "
    "range of sizes."
)
OF = "verdicts"
ORDER = 3
SHOWN = True


def make(context: Context) -> Figure:
    """Draw one panel for each test that compares two scaling curves."""
    runs, found = context.runs, []
    for title, test in tests_of(context.registry, Crossing):
        try:
            found.append((title, test, *test.differences(runs), test.find(runs)))
        except NotTested:
            continue
    if not found:
        return only_text("No two scaling curves can be compared in these runs.")
    figure, axes = make_panels(len(found))
    for ax, (title, test, sizes, values, judged) in zip(axes.flat, found, strict=False):
        ax.plot(sizes, values, color="0.75", linewidth=0.6)
        draw_means(ax, sizes, values, color="C0", marker="o", linestyle="")
        line = np.polyfit(np.log(sizes), np.nanmean(values, axis=1), 1)
        ax.plot(sizes, np.polyval(line, np.log(sizes)), color="C0", linewidth=1)
        ax.axhline(0, color="0.3", linewidth=0.8)
        limits = sizes[0] / 1.1, sizes[-1] * 1.1
        if judged.low < limits[1] and judged.high > limits[0]:
            ax.axvspan(max(judged.low, limits[0]), min(judged.high, limits[1]), color="C1", alpha=0.15, linewidth=0)
        if limits[0] < judged.estimate < limits[1]:
            ax.axvline(judged.estimate, color="C1", linewidth=1)
        size_axis(ax)
        ax.set_xlim(limits)
        ax.set_xlabel(SIZES.get(test.size, test.size))
        ax.set_ylabel(f"lead ({unit_of(test.outcome)})")
        ax.set_title(title)
    return figure
