"""Change of StarNet's accuracy from the standard block, as published and ours."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lowparam.catalogue import VARIANT_TABLES
from lowparam.claims.statistics import Estimate
from lowparam.report.context import Context
from lowparam.report.layout import draw_means, legend, value_axis
from lowparam.report.style import MARKERS, TEXT_WIDTH
from lowparam.report.tables._star_variants import variants_table

CAPTION = (
    "Change of StarNet's accuracy from the standard block: as published for StarNet-S4 on the left, ours on the "
    "right with 95 % t intervals over seeds, paired by seed. "
    "Hollow marks: a run is untrained. Arrows: the interval is longer than the axis."
)
APPLIES = ("varies_starnet",)
ORDER = 62


def make(context: Context) -> Figure:
    """Draw the figure from ``runs.csv``."""
    return draw(context.runs)


def draw(runs: pd.DataFrame) -> Figure:
    """Draw the published changes from the standard block on the left and ours on the right, one row a variant."""
    rows = []  # label, published change, own changes
    for name, number in VARIANT_TABLES.items():
        table = variants_table(number, runs, "ours")
        varied = table.numbers.columns[1]
        changes = table.numbers[table.numbers["quantity"] == "change"]
        for label in dict.fromkeys(changes[varied]):
            of_label = changes[changes[varied] == label]
            own = of_label[of_label["data"].str.startswith("ours")]
            rows.append((name, label, of_label[~of_label["data"].str.startswith("ours")], own))
    rows = [row for row in rows if len(row[3])]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(TEXT_WIDTH, 0.9 + 0.19 * len(rows)), sharey=True, layout="constrained"
    )
    colours = dict(zip(VARIANT_TABLES, sns.color_palette("colorblind"), strict=False))
    for place, (name, _, published, own) in enumerate(rows):
        left.plot(published["mean"], [place] * len(published), "o", color=colours[name])
        for shift, each in enumerate(own.to_dict("records")):
            at = place + min(0.2, 0.8 / len(own)) * (shift - (len(own) - 1) / 2)
            estimate = Estimate(each["mean"], each["half_width"], each["n"])
            marker = MARKERS[shift % len(MARKERS)]
            hollow = [each["untrained"]]
            draw_means(right, [at], [estimate], across=True, hollow=hollow, color=colours[name], marker=marker)
    titles = {"star_stages": "stages", "star_placement": "place", "star_kind": "kind", "star_designs": "design"}
    left.set_yticks(range(len(rows)), [f"{titles[name]}: {label}" for name, label, _, _ in rows])
    left.set_ylim(len(rows) - 0.5, -0.5)
    for ax, title in ((left, "StarNet-S4 on ImageNet-1k, as published"), (right, "ours")):
        ax.axvline(0, color="0.3", linewidth=0.8)
        ax.set_title(title)
        ax.set_xlabel("change from the standard block (points)")
        ax.grid(axis="y", visible=False)
    value_axis([right], "x", include=[0])
    legend(figure)
    return figure
