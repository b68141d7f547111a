"""Each measure of the profile against true interference: rank correlation over doses of known features."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.known_doses import dosed_runs
from lowparam.report.tables.calibration import SEES, calibrate

CAPTION = (
    "Spearman's correlation of each measure of the profile with true cross-talk (dots) and with true dimensionality "
    "(crosses) over numbers of known features and their sparsity, mean over blocks and budgets, means over {seeds} "
    "seeds. Measures between the dashed lines do not see superposition in these networks."
)
APPLIES = ("has_four_doses",)
SHOWN = True
ORDER = 63


def make(context: Context) -> Figure:
    """Draw the figure from the runs of the experiment."""
    return draw(calibrate(dosed_runs(context)))


def draw(found: pd.DataFrame) -> Figure:
    """Draw a row for each measure, from the strongest association with true cross-talk."""
    found = found.sort_values("rho_chi", key=lambda column: column.abs())
    figure, ax = plt.subplots(figsize=(5.5, 0.8 + 0.17 * len(found)), layout="constrained")
    places = np.arange(len(found))
    ax.plot(found["rho_chi"], places, "o", markersize=4, label="with true cross-talk")
    ax.plot(found["rho_dimensionality"], places, "x", markersize=4, label="with true dimensionality")
    for level in (-SEES, SEES):
        ax.axvline(level, color="0.5", linestyle="--", linewidth=0.8)
    ax.set_yticks(places, found["measure"], fontsize=7)
    ax.set(xlim=(-1.05, 1.05), xlabel="rank correlation")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure
