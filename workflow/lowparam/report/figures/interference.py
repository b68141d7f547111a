"""Dimensionality of the projections relative to random directions, against parameters."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.estimates import in_order
from lowparam.report.figures._lines import draw_families, legend, probe_panels
from lowparam.report.labels import probe_label

CAPTION = (
    "Feature dimensionality of the projections divided by that of random directions (r), against number of parameters: "
    "mean over seeds with 95 % t interval. The band shows the null; below it, features overlap more than random ones."
)
ORDER = 20
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure; the band is two standard deviations of the null around 1."""
    runs = context.runs
    figure, axes = probe_panels(runs, sharey=True)
    for ax, probe in zip(axes, in_order(runs["probe"]), strict=True):
        of_probe = runs[runs["probe"] == probe]
        band = 2 * of_probe["r_projection_null_sd"].mean()
        ax.axhspan(1 - band, 1 + band, color="0.85", zorder=0, label="null, ± 2 sd")
        draw_families(ax, of_probe.assign(value=of_probe["r_projection"]))
        ax.set_title(probe_label(probe))
    axes[0].set_ylabel("projection dimensionality / null (r)")
    legend(figure, axes)
    return figure
