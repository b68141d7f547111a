"""Accuracy on the two moons by the position of star blocks."""

import pandas as pd
from matplotlib.figure import Figure

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.layout import draw_means, legend, panels, value_axis
from lowparam.report.style import looks

CAPTION = "Accuracy on the two moons by the number and position of star blocks."
OF = "star"
ORDER = 12


def make(context: Context) -> Figure:
    """Draw the figure from ``moons.csv``."""
    return draw(context.read("moons"))


def draw(moons: pd.DataFrame) -> Figure:
    """Draw accuracy and agreement against the number of star blocks, counted from the input and from the output."""
    nets = moons[(moons["seed"] >= 0) & (moons["activation"] == "relu")]
    rows = {
        "star from the input on": [n for n in nets["net"].unique() if n == "S" * n.count("S") + "+" * n.count("+")],
        "star up to the output": [n for n in nets["net"].unique() if n == "+" * n.count("+") + "S" * n.count("S")],
    }
    measures = {
        "train_best": "training points, best epoch",
        "fresh": "fresh points",
        "agree_svm_poly": "agreement with polynomial SVM",
    }
    styles = looks(rows)
    figure, axes = panels(len(measures), height=2.4)
    for ax, (measure, title) in zip(axes, measures.items(), strict=True):
        for place, (label, names) in enumerate(rows.items()):
            points = sorted(
                (name.count("S"), mean_interval(100 * nets.loc[nets["net"] == name, measure])) for name in names
            )
            places = [count + 0.06 * (2 * place - 1) for count, _ in points]
            draw_means(ax, places, [estimate for _, estimate in points], label=label, **styles[label])
        ax.set_xticks(range(5))
        ax.set_xlabel("star blocks, of 4")
        ax.set_title(title)
        value_axis([ax], least=0, most=100)
    axes[0].set_ylabel("%")
    legend(figure)
    return figure
