"""Condense a profile into the columns of runs.csv, as the measures declare them.

Every entry of a measure's ``SUMMARY`` is a column of runs.csv:

``value``   which rows of the profile: those with this name in the column ``measure``
``kinds``   only sites of these kinds; all by default
``sites``   ``"straight"``: only sites in blocks that do not stride; ``"stage ends"``: only the last block of each
            stage; ``"last"``: only the last site that the value is measured at; all by default
``column``  which column of the profile: ``value`` by default, or ``null``, ``null_sd``, ``untrained``
``take``    ``"mean"`` (the default) or ``"sum"`` of what is defined; ``"sd of mean"``: standard deviation of the mean
            of values with these independent standard deviations; ``"dimensions over"``: value times n at the first site
            of these kinds over the same at the first of the kinds ``over``, mean over blocks
``place``   columns are in the order of their places, and by name where these are equal
``means``   one line for the documentation

This module imports neither torch nor a measure: declarations are read as literals.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from lowparam.errors import LowparamError
from lowparam.interference import measures
from lowparam.interference.stages import stage_ends

__all__ = ["columns", "measure_columns", "summary"]


def columns() -> dict[str, dict[str, Any]]:
    """Return the declarations of all columns that measures add to runs.csv, by name, in the order of the table.

    Each has also ``measure``, the name of the file, and ``default``, whether every profile has it.

    Raises
    ------
    LowparamError
        If two measures declare the same column.
    """
    found: dict[str, dict[str, Any]] = {}
    for measure in measures.names():
        declared = measures.declared(measure)
        for column, entry in declared.get("SUMMARY", {}).items():
            if column in found:
                raise LowparamError(
                    f"{measures.FOLDER}: both {found[column]['measure']}.py and {measure}.py declare the column "
                    f"{column!r}; rename one of them"
                )
            found[column] = {**entry, "measure": measure, "default": declared.get("DEFAULT", False)}
    return dict(sorted(found.items(), key=lambda item: (item[1].get("place", measures.LAST), item[0])))


def measure_columns(table: Iterable[str] | None = None) -> list[str]:
    """Return the names of the columns that measures add to runs.csv, in order.

    Parameters
    ----------
    table : iterable of str, optional
        Columns of a table: only those that it has are returned. By default those of all measures.
    """
    present = None if table is None else set(table)
    return [name for name in columns() if present is None or name in present]


def summary(profile: pd.DataFrame) -> dict[str, float]:
    """Condense a profile into the numbers that are next to a run's accuracy.

    Parameters
    ----------
    profile : DataFrame
        What `lowparam.interference.profile.profile_run` returns, or its csv.

    Returns
    -------
    dict of str to float
        The columns of the default measures, NaN where nothing is defined, and those of any other measure that the
        profile has. `columns` tells what each means.
    """
    present = set(profile["measure"])
    return {
        name: _condense(profile, entry)
        for name, entry in columns().items()
        if entry["default"] or entry["value"] in present
    }


def _condense(profile: pd.DataFrame, entry: dict[str, Any]) -> float:
    rows = profile[profile["measure"] == entry["value"]]
    sites = entry.get("sites", "all")
    if sites == "last":
        rows = rows.iloc[-1:]
    elif sites == "straight":
        rows = rows[~rows["site"].str.startswith(_striding(profile))]
    elif sites == "stage ends":
        strides = _strides(profile)
        rows = rows[rows["site"].isin(stage_ends(dict(zip(strides["site"], strides["n"], strict=True))))]
    elif sites != "all":
        raise LowparamError(f"{entry['measure']}.py: sites must be straight, stage ends, last or all, not {sites!r}")
    return TAKE[entry.get("take", "mean")](rows, entry)


def _mean(rows: pd.DataFrame, entry: dict[str, Any]) -> float:
    return float(_values(rows, entry).mean())


def _sum(rows: pd.DataFrame, entry: dict[str, Any]) -> float:
    return float(_values(rows, entry).sum())


def _sd_of_mean(rows: pd.DataFrame, entry: dict[str, Any]) -> float:
    values = _values(rows, entry)
    return float(np.sqrt((values**2).sum()) / len(values)) if len(values) else float("nan")


def _dimensions_over(rows: pd.DataFrame, entry: dict[str, Any]) -> float:
    above, below = (_dimensions(rows[rows["kind"].isin(kinds)]) for kinds in (entry["kinds"], entry["over"]))
    return float((above / below).mean())


TAKE = {"mean": _mean, "sum": _sum, "sd of mean": _sd_of_mean, "dimensions over": _dimensions_over}


def _values(rows: pd.DataFrame, entry: dict[str, Any]) -> pd.Series:
    rows = rows[rows["kind"].isin(entry["kinds"])] if "kinds" in entry else rows
    return rows[entry.get("column", "value")]


def _dimensions(rows: pd.DataFrame) -> pd.Series:
    """Return value times n at the first of these sites in each block, in dimensions, by block."""
    block = rows["site"].str.rsplit(".", n=1).str[0]
    return (rows["value"] * rows["n"]).groupby(block, sort=False).first()


def _strides(profile: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that the measure `stride` writes, one for each stream."""
    return profile[profile["measure"] == "stride"]


def _striding(profile: pd.DataFrame) -> tuple[str, ...]:
    """Return what the names of sites in blocks that stride begin with."""
    rows = _strides(profile)
    return tuple(site.removesuffix("stream") for site in rows.loc[rows["value"] > 1, "site"])
