"""True cross-talk between known features against how many there are."""

import pandas as pd
from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.figures._doses import dose_panels
from lowparam.report.known_doses import dosed_runs

CAPTION = (
    "True cross-talk between known features at the last block against how many occur in the images, at the smallest "
    "budget: how much of a push along one feature ends up in the outputs of others. Mean over {seeds} seeds with 95 % "
    "t interval; 0: none, 1: all of it. Hollow marks: a run is untrained."
)
APPLIES = ("has_known_features",)
SHOWN = True
ORDER = 61


def make(context: Context) -> Figure:
    """Draw the figure from the runs of the experiment."""
    return draw(dosed_runs(context))


def draw(runs: pd.DataFrame) -> Figure:
    """Draw a panel for each presence."""
    return dose_panels(runs, "true_chi_last", "true cross-talk")
