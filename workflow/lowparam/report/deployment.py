"""What a device needs for each scale of an experiment, read from the files of its runs."""

import numpy as np
import pandas as pd

from lowparam.files import read_json
from lowparam.params import format_size
from lowparam.report.context import Context
from lowparam.report.estimates import GRID

__all__ = ["FLASH_LIMIT", "RAM_LIMIT", "fits", "measured"]

FLASH_LIMIT, RAM_LIMIT = 256_000, 128_000
"""Bytes of a small microcontroller."""


def measured(context: Context) -> pd.DataFrame:
    """Return one row a run without probe.

    Returns
    -------
    DataFrame
        ``architecture``, ``probe``, ``budget`` and ``seed`` as in runs.csv; memory in bytes and counts as in
        `lowparam.deploy.bench.memory`; ``accuracy``, ``int8_accuracy`` (shares) and ``latency``, ``int8_latency``
        (median milliseconds of onnxruntime), NaN where a run was not exported.
    """
    rows = []
    for run in context.params.runs(context.name):
        found = read_json(run.deployment)
        runtimes = found.pop("runtimes")
        found.pop("not_exported", None)
        row = {**dict(zip(GRID, (run.scale.label, run.scale.probe, format_size(run.scale.budget)), strict=True))}
        row |= {"seed": run.seed, **found}
        for prefix, to in (("", "onnx"), ("int8_", "onnx-int8")):
            row[f"{prefix}accuracy"] = runtimes.get(to, {}).get("accuracy", np.nan)
            row[f"{prefix}latency"] = runtimes.get(to, {}).get("median_ms", np.nan)
        rows.append(row)
    table = pd.DataFrame(rows)
    return table[table["probe"] == "none"] if table["probe"].eq("none").any() else table


def fits(row: pd.Series) -> str:
    """Return in which form a network fits: with 32 bits, and then also with 8, only with 8 bits, or in none."""
    if row["weight_bytes"] <= FLASH_LIMIT and row["arena_bytes"] <= RAM_LIMIT:
        return "32 bits"
    return "8 bits" if row["weight_bytes_int8"] <= FLASH_LIMIT and row["arena_bytes_int8"] <= RAM_LIMIT else "–"
