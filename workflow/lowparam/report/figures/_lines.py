"""Panels and lines that several figures of an experiment share."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowparam import catalogue
from lowparam.claims.statistics import mean_interval
from lowparam.params import parse_budget
from lowparam.report.estimates import in_order, untrained_scales
from lowparam.report.labels import architecture_label, probe_label
from lowparam.report.layout import draw_means, label_outer, panels, shifts, size_axis
from lowparam.report.style import looks

__all__ = ["family_panels"]


def family_panels(runs: pd.DataFrame, ylabel: str, *, sharey: bool = False) -> tuple[Figure, dict[str, Axes]]:
    """Draw mean and interval over seeds of the column ``value`` against parameters, by probe.

    Returns
    -------
    Figure, dict of str to Axes
        The figure, and its panel for each probe. Each has one line for each family of architectures.
    """
    probes = in_order(runs["probe"])
    families = catalogue.families(in_order(runs["architecture"]))
    styles, untrained = looks(families), untrained_scales(runs)
    sizes = runs["parameters_total"]
    figure, axes = panels(len(probes), height=2.6, sharex=True, sharey=sharey)
    for ax, probe in zip(axes, probes, strict=True):
        of_probe = runs[runs["probe"] == probe]
        for (family, members), shift in zip(families.items(), shifts(len(families), sizes), strict=True):
            groups = of_probe[of_probe["architecture"].isin(members)].groupby(["architecture", "budget"], sort=False)
            points = [
                (group["parameters_total"].mean(), mean_interval(group["value"]), (name, probe, budget) in untrained)
                for (name, budget), group in groups
            ]
            points.sort(key=lambda point: point[0])
            draw_means(
                ax,
                [count * shift for count, *_ in points],
                [estimate for _, estimate, _ in points],
                hollow=[is_hollow for *_, is_hollow in points],
                label=architecture_label(family),
                **styles[family],
            )
        ax.set_title(probe_label(probe))
    budgets = [] if "published" in set(runs["budget"]) else [parse_budget(budget) for budget in runs["budget"]]
    size_axis(axes, sizes, budgets)
    label_outer(axes, "parameters", ylabel)
    return figure, dict(zip(probes, axes, strict=True))
