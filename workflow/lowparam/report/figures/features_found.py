"""Known features that networks explain against how many there are, with the limit that shapes force."""

import pandas as pd
from matplotlib.figure import Figure

from lowparam.report.context import Context
from lowparam.report.figures._doses import dose_panels
from lowparam.report.known_doses import dosed_runs

CAPTION = (
    "Known features that the outputs of networks explain against how many occur in the images, at the smallest budget: "
    "mean over {seeds} seeds with 95 % t interval. Dashed: all of them; dotted: the most that networks of these shapes "
    "could explain without activations. What is above the dotted line is superposition that works. "
    "Hollow marks: a run is untrained."
)
APPLIES = ("has_known_features",)
SHOWN = True
ORDER = 60


def make(context: Context) -> Figure:
    """Draw the figure from the runs of the experiment."""
    return draw(dosed_runs(context))


def draw(runs: pd.DataFrame) -> Figure:
    """Draw a panel for each presence."""
    return dose_panels(runs, "features_explained", "features explained", limit=True)
