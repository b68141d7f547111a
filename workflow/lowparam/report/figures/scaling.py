"""Test accuracy against size in three accountings."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.estimates import in_order, untrained_scales
from lowparam.report.figures._lines import draw_curve
from lowparam.report.figures._tests import SIZES
from lowparam.report.labels import architecture_label
from lowparam.report.layout import legend, panels, shifts, size_axis, value_axis
from lowparam.report.style import looks

CAPTION = (
    "Test accuracy against size, counted with the classifier, without it, and in multiply-adds: mean over seeds "
    "with 95 % t interval, one line for each architecture. No point where a seed diverged. Arrows: the interval is "
    "longer than the axis. "
    "Hollow marks: a run is untrained."
)
OF = "verdicts"
ORDER = 2
SHOWN = True


def make(context: Context) -> Figure:
    """Draw one panel for each accounting of size, for runs without probe."""
    base = context.runs[context.runs["probe"] == "none"]
    base = base.assign(value=100 * base["test_accuracy"])
    architectures = in_order(base["architecture"])
    styles, untrained = looks(architectures), untrained_scales(base)
    figure, axes = panels(len(SIZES), height=2.5, sharey=True)
    for ax, (column, label) in zip(axes, SIZES.items(), strict=True):
        for name, shift in zip(architectures, shifts(len(architectures), base[column]), strict=True):
            of_one = base[base["architecture"] == name]
            look = {"label": architecture_label(name), **styles[name]}
            draw_curve(ax, of_one, column, shift=shift, untrained=untrained, **look)
        size_axis([ax], base[column])
        ax.set_xlabel(label)
    axes[0].set_ylabel("test accuracy (%)")
    value_axis(axes, least=0, most=100)
    legend(figure)
    return figure
