"""Dimensionality of the projections relative to random directions, against parameters."""

from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.figures._lines import family_panels
from lowparam.report.layout import legend, value_axis

CAPTION = (
    "Feature dimensionality of the projections divided by that of random directions (r), against number of parameters: "
    "mean over seeds with 95 % t interval, none where a seed diverged. The band shows the null; below it, features "
    "overlap more than random ones. Arrows: the interval is longer than the axis. "
    "Hollow marks: a run is untrained."
)
ORDER = 20
SHOWN = True


def make(context: Context) -> Figure:
    """Draw the figure; the band is two standard deviations of the null around 1."""
    runs = context.runs
    figure, axes = family_panels(
        runs.assign(value=runs["r_projection"]), "projection dimensionality / null (r)", sharey=True
    )
    bands = []
    for probe, ax in axes.items():
        band = 2 * runs.loc[runs["probe"] == probe, "r_projection_null_sd"].mean()
        ax.axhspan(1 - band, 1 + band, color="0.85", zorder=0, label="null, ± 2 sd")
        bands += [1 - band, 1 + band]
    value_axis(list(axes.values()), least=0, include=bands)
    legend(figure)
    return figure
