"""Four measures of interference, block by block."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context, Profiles
from lowparam.report.figures._arrays import UNTRAINED
from lowparam.report.layout import legend
from lowparam.report.style import MARKERS, TEXT_WIDTH

CAPTION = (
    "{family}: four measures of interference block by block, at the largest size. Trained and untrained networks: mean "
    "over seeds with 95 % interval, none where a seed diverged. Dashed: null; dotted: limit that the shape of the "
    "layer forces."
)
PER = "family"
ORDER = 200

PANELS = (
    ("dimensionality_ratio", ("projection", "reduction"), "r, projections"),
    ("chi", ("stream",), "class cross-talk χ"),
    ("log_ci", ("projection", "reduction"), "log CI, projections (nats)"),
    ("capacity_used", ("stream",), "capacity used, PR / C"),
)
FORCED = "forced by the shape"
TRAINED = "tab:blue"


def make(context: Context) -> Figure:
    """Draw the figure of a family."""
    return draw(context.profiles)


def draw(profiles: Profiles) -> Figure:
    """Draw four measures over the blocks, one row for each network.

    With several seeds, the band is the 95 % interval over seeds; with one, the interval over images.
    """
    scales, line = profiles.tables, profiles.line
    figure, axes = plt.subplots(
        len(scales),
        len(PANELS),
        figsize=(TEXT_WIDTH, 0.6 + 1.55 * len(scales)),
        sharex="col",
        sharey="col",
        squeeze=False,
        layout="constrained",
    )
    for row, (label, tables) in zip(axes, scales.items(), strict=True):
        for axis, (measure, kinds, _) in zip(row, PANELS, strict=True):
            _panel(axis, tables, line, measure, kinds)
        row[0].set_ylabel(label if len(scales) > 1 else "")
    for axis in axes[-1]:
        axis.set(xlabel="block")
    for column, (*_, title) in zip(axes.T, PANELS, strict=True):
        column[0].set_title(title)
        # Keep the means in view; wide intervals of few seeds and distant limits may leave the panel.
        means, limits = (
            np.concatenate([np.zeros(1), *(line.get_ydata() for axis in column for line in axis.lines if chosen(line))])
            for chosen in (lambda line: line.get_label() != FORCED, lambda line: line.get_label() == FORCED)
        )
        low, high = np.nanmin(means), np.nanmax(means)
        high = max(high, min(np.nanmax(limits), 1.6 * high))
        if high > low:
            column[0].set_ylim(low - 0.05 * (high - low), high + 0.1 * (high - low))
    legend(figure)
    return figure


def _panel(axis: Axes, profiles: Sequence[pd.DataFrame], line: str, measure: str, kinds: Sequence[str]) -> None:
    """Draw one measure over the blocks of one network."""
    rows = [p[(p["measure"] == measure) & p["kind"].isin(kinds)].set_index("site") for p in profiles]
    if all(row["value"].isna().all() for row in rows):
        axis.text(0.5, 0.5, "undefined", transform=axis.transAxes, ha="center", color="0.5")
        return
    blocks = np.arange(1, len(rows[0]) + 1)
    _lines(axis, rows, line)
    null = pd.concat(rows)["null"].groupby(level=0).first().reindex(rows[0].index)  # of a seed that has the measure
    axis.plot(blocks, null, color="black", linestyle="--", linewidth=0.8, label="null")
    limit = _forced(profiles, measure, rows[0].index)
    if limit is not None:
        axis.plot(blocks, limit, color="black", linestyle=":", linewidth=0.8, label=FORCED)
    axis.set_xticks(blocks if len(blocks) <= 8 else blocks[:: -(-len(blocks) // 6)])


def _forced(profiles: Sequence[pd.DataFrame], measure: str, sites: pd.Index) -> np.ndarray | None:
    """Return the least interference that the shape of a layer allows: the least χ, or the r of a tight frame."""
    table = pd.concat(profiles).groupby(["measure", "site"])[["value", "null"]].first()  # a seed may lack a measure
    at = lambda name, column="value": table.loc[name, column].reindex(sites).to_numpy()  # noqa: E731
    if measure == "chi":
        return at("chi_floor")
    if measure == "dimensionality_ratio":
        return at("floor_tight") / at("dimensionality", "null")
    return None


def _lines(axis: Axes, rows: list[pd.DataFrame], line: str) -> None:
    """Draw the line of the network with its band, and that of the untrained one."""
    sites = rows[0].index
    blocks = np.arange(1, len(sites) + 1)
    for column, colour, label in (("untrained", UNTRAINED, "untrained"), ("value", TRAINED, line)):
        seeds = np.array([row.reindex(sites)[column].to_numpy(float) for row in rows])
        if np.isnan(seeds).all():
            continue
        if len(rows) > 1:
            estimates = [mean_interval(block) for block in seeds.T]
            mean = np.array([estimate.mean for estimate in estimates])
            half = np.array([estimate.half_width for estimate in estimates])
            lower, upper = mean - half, mean + half
        else:
            mean = seeds[0]
            inside = column == "value"
            lower = rows[0]["lower"].to_numpy(float) if inside else mean
            upper = rows[0]["upper"].to_numpy(float) if inside else mean
        axis.plot(blocks, mean, color=colour, marker=MARKERS[0], label=label)
        axis.fill_between(blocks, lower, upper, color=colour, alpha=0.2, linewidth=0)
