"""Effect of moving the stream towards a class on each logit, at the ends of stages."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from lowparam.interference.measures.class_cross_talk import chi
from lowparam.report.context import Context, Profiles
from lowparam.report.escape import class_name
from lowparam.report.figures._arrays import place, sites
from lowparam.report.style import TEXT_WIDTH, only_text

CAPTION = (
    "{family}: effect of moving the stream towards a class (rows) on each logit (columns) at the end of each stage, "
    "first seed at the largest size. Each panel is scaled to its largest entry."
)
PER = "family"
ORDER = 230
ON_PAGE = False


def make(context: Context) -> Figure:
    """Draw the figure of a family."""
    return draw(context.profiles)


def draw(profiles: Profiles) -> Figure:
    """Draw the effects (K, K) at the ends of stages, a row for each stage and a column for each network.

    Each panel is scaled to its largest entry. Without interference only the diagonal is red, and the rest is evenly
    pale blue. A class whose name the font cannot write is shown by its number.
    """
    arrays, classes = profiles.arrays, profiles.classes
    names = [class_name(name, number) for number, name in enumerate(classes)]
    ends = sites(arrays, "cross_talk")
    if not ends:
        return only_text("χ is undefined.")
    figure, axes = plt.subplots(
        len(ends),
        len(arrays),
        figsize=(min(TEXT_WIDTH, 1.2 + 2.9 * len(arrays)), 0.5 + 2.2 * len(ends)),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    image = None
    for column, (label, found) in zip(axes.T, arrays.items(), strict=True):
        for axis, site in zip(column, ends, strict=True):
            axis.grid(False)
            effects = found.get(f"{site}/cross_talk")
            if effects is None:
                axis.text(0.5, 0.5, "undefined", transform=axis.transAxes, ha="center", color="0.5")
                continue
            matrix = (effects / effects.abs().max()).numpy()
            image = axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
            network = f"{label}\n" if len(arrays) > 1 else ""
            axis.set_title(f"{network}{place(site)}, χ = {chi(effects.double()).item():.2f}")
            if len(classes) == len(effects) <= 20:
                axis.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 2 else 0)
                axis.set_yticks(range(len(names)), names)
    for axis in axes[:, 0]:
        axis.set_ylabel("pushed towards")
    for axis in axes[-1]:
        axis.set_xlabel("logit")
    assert image is not None, "every site in `ends` is kept by some network"
    figure.colorbar(image, ax=axes, label="change of the logit / largest", shrink=0.7, pad=0.01)
    return figure
