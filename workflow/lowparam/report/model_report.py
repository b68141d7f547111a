"""Summarise the interference profile of a single network, such as one of timm, in a table and figures."""

from pathlib import Path

import pandas as pd

from lowparam import registry
from lowparam.catalogue import FIGURES
from lowparam.files import read_csv
from lowparam.interference.figure_data import read
from lowparam.report.context import Profiles
from lowparam.report.formats import Cell
from lowparam.report.style import in_style, save
from lowparam.report.table_format import Table

__all__ = ["PROFILE_FIGURES", "summary_table", "write_model_report"]

PROFILE_FIGURES = ("profile", "directions", "spectra", "cross_talk")


def write_model_report(folder: Path, model: str, line: str = "trained") -> None:
    """Write a summary table and figures next to ``profile.csv`` and ``profile.safetensors``.

    Parameters
    ----------
    folder : Path
        Where the profile is.
    model : str
        Printed name of the network.
    line : str
        How the network is called next to the untrained one.
    """
    profile = read_csv(folder / "profile.csv")
    summary_table(profile, model).write(folder, "profile")
    arrays, classes = read(folder / "profile.safetensors")
    profiles = Profiles({line: [profile]}, {line: arrays}, classes, line)
    with in_style():
        for name in PROFILE_FIGURES:
            save(registry.load(FIGURES, name).draw(profiles), folder, name)


def summary_table(profile: pd.DataFrame, model: str) -> Table:
    """Average every measure over the sites of a kind, with its null and the untrained network for comparison."""
    profile = profile[~profile["measure"].isin(["stride"])]
    rows, numbers = [], []
    for (measure, kind), sites in profile.groupby(["measure", "kind"], sort=False):
        defined = sites.dropna(subset="value")
        spread = {"least": defined["value"].min(), "largest": defined["value"].max()}
        means = defined[["value", "null", "untrained"]].mean()
        cells = [means["value"], *spread.values(), means["null"], means["untrained"]]
        rows.append([measure, kind, f"{len(defined)} of {len(sites)}", *(Cell.of(c, 3) for c in cells)])
        numbers.append({"measure": measure, "kind": kind, "sites": len(defined), **means, **spread})
    return Table(
        name="summary",
        caption=f"Interference profile of {model}: mean over the sites of a kind at which a measure is defined, least "
        "and largest, mean with nothing learned (null), and mean in the untrained network.",
        header=["measure", "kind of site", "sites", "mean", "least", "largest", "null", "untrained"],
        rows=rows,
        labels=3,
        numbers=pd.DataFrame(numbers),
    )
