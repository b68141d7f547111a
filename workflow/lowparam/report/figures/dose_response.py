"""Response to every dose that was varied."""

import numpy as np
from matplotlib.figure import Figure

from lowparam.claims.contrasts import unit_of
from lowparam.report.context import Context
from lowparam.report.figures._tests import draw_seeds, findings_in
from lowparam.report.layout import panels, size_axis, value_axis
from lowparam.report.style import only_text

CAPTION = (
    "Response to every dose that was varied, one panel for each test: thin lines are seeds, points the mean with "
    "95 % t interval, none where a seed diverged. If the dose is meant to move a measure, the dashed line shows that "
    "measure on the right axis. "
    "Arrows: the interval is longer than the axis."
)
OF = "verdicts"
ORDER = 6
SHOWN = True


def make(context: Context) -> Figure:
    """Draw one panel for each test whose dose was varied."""
    tests = list(findings_in(context, "dose_response"))
    if not tests:
        return only_text("No dose was varied in these runs.")
    figure, axes = panels(len(tests))
    for ax, (title, test, finding) in zip(axes, tests, strict=True):
        doses, values, moved = finding.data["doses"], finding.data["responses"], finding.data.get("moved")
        order = np.argsort(doses)
        x = 2 ** doses[order] if test.doses is None else doses[order]
        ax.plot(x, values[order], color="0.75", linewidth=0.6)
        draw_seeds(ax, x, values[order], color="C0", marker="o")
        if moved is not None:
            right = ax.twinx()
            draw_seeds(right, x, moved[order], color="C1", marker="s", linestyle="--")
            right.set_ylabel(unit_of(test.moved), color="C1")
            right.grid(visible=False)
            value_axis([right], note=False)
        if test.doses is None:
            size_axis([ax], x)
        ax.set_xlabel("parameters" if test.doses is None else "dose")
        ax.set_ylabel(unit_of(test.outcome) + (", difference" if test.minus else ""))
        ax.set_title(title)
        value_axis([ax], include=values.ravel())
    return figure
