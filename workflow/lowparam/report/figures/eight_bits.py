"""What 8 bits cost against interference at equal budget."""

from matplotlib.figure import Figure

from lowparam.params import parse_budget
from lowparam.report.context import Context
from lowparam.report.estimates import in_order
from lowparam.report.labels import architecture_label
from lowparam.report.layout import HOLLOW, label_outer, legend, panels, value_axis
from lowparam.report.style import looks, only_text

CAPTION = (
    "Points of test accuracy lost with 8 bits against interference at equal budget: points are configurations, "
    "whiskers the standard deviation over seeds. Dotted: no loss, and the random null of r. No point where a seed "
    "diverged or was not exported. Hollow marks: a run is untrained."
)
OF = "verdicts"
ORDER = 9


def make(context: Context) -> Figure:
    """Draw one panel for each of the smallest four budgets."""
    runs = context.runs[context.runs["probe"] == "none"]
    known = runs[["r_projection", "int8_loss"]].notna().all(axis=1)
    runs = runs[known.groupby([runs["architecture"], runs["budget"]]).transform("all")]  # no mean of survivors
    budgets = sorted(runs["budget"].unique(), key=parse_budget)[:4]
    if not budgets:
        return only_text("A seed of each configuration diverged or was not exported.")
    styles = looks(in_order(runs["architecture"]))
    figure, axes = panels(len(budgets), height=2.4, sharex=True)
    for ax, budget in zip(axes, budgets, strict=True):
        for name, group in runs[runs["budget"] == budget].groupby("architecture", sort=False):
            x, y = group["r_projection"], 100 * group["int8_loss"]
            look = styles[name] | {"linestyle": ""}
            bars = {"xerr": x.std(), "yerr": y.std(), "elinewidth": 0.8}
            ax.errorbar(x.mean(), y.mean(), **look, **bars, label=architecture_label(name))
            if (group["status"] == "untrained").any():
                ax.plot(x.mean(), y.mean(), **look, markerfacecolor="white", zorder=3, label=HOLLOW)
        ax.axvline(1, color="0.3", linewidth=0.8, linestyle=":")
        ax.axhline(0, color="0.3", linewidth=0.8, linestyle=":")
        ax.set_title(f"budget {budget}")
        value_axis([ax], include=[0])
    value_axis(axes, "x", least=0, include=[1])
    label_outer(axes, "dimensionality / null (r)", "loss with 8 bits (points)")
    legend(figure)
    return figure
