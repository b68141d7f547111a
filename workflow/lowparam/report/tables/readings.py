"""Which reading of SoLU and of NoDepth shows what the paper reports."""

import numpy as np
import pandas as pd

from lowparam.claims.finding import SUPPORTED
from lowparam.claims.statistics import Estimate
from lowparam.report.context import Context
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label, probe_label
from lowparam.report.readings import GROUPS, Readings
from lowparam.report.table_format import Table

CAPTION = (
    "Claims of Hollard et al. on {experiment} under each reading of what the paper leaves open, with 95 % t intervals "
    "over {seeds} seeds. Probes: change by the probe, paired by seed, of test accuracy in percentage points, of r at "
    "projections (higher is less overlap), of class cross-talk chi (C4), and of accuracy in ConvNeXt minus that in V1, "
    "V2 and V3 (C5); NoDepth's change is C8. NoDepth: scaling exponent minus those of V1 and V2, which may be 0.05 "
    "below (C7), and accuracy minus that of V2 (block). Verdicts are corrected by Holm for the number of readings. "
    "Bold: supported."
)
APPLIES = ("compares_readings",)
OF = "verdicts"
ORDER = 32

TESTS = {"r": ("C4", "overlap"), "chi": ("C4", "primary"), "C5": ("C5", "primary"), "C8": ("C8", "primary")}
DIGITS = {"r": 3, "chi": 3, "C5": 1, "C7": 3, "C8": 1}


def make(context: Context) -> Table:
    """Judge the claims with each probe, then with each reading of NoDepth."""
    readings = Readings(context)
    rows = [_of_probe(readings, probe) for probe in readings.probes]
    rows += [_of_block(readings, block) for block in readings.blocks]
    judged = [readings.of_solu] * bool(readings.probes) + [readings.of_nodepth] * bool(readings.blocks)
    header = ["reading", *GROUPS, "NoDepth", "r", "chi", "C5", "C7", "block", "supported", "contradicted"]
    empty = [place for place in range(len(header) - 2) if all(_is_empty(row[place]) for row in rows)]
    kept = [place for place in range(len(header)) if place not in empty]
    return Table(
        header=[header[place] for place in kept],
        rows=[[row[place] for place in kept] for row in rows],
        labels=1,
        numbers=pd.concat(judged, ignore_index=True),
        notes=[readings.conclusion()] if readings.probes else [],
    )


def _of_probe(readings: Readings, probe: str) -> list[str | Cell]:
    found = readings.of_solu[readings.of_solu["reading"] == probe].set_index(["claim", "test"])
    changes = [Cell(readings.change(probe, group), 1) for group in GROUPS]
    nodepth = _cell(found.loc[TESTS["C8"]], DIGITS["C8"])
    measured = [_cell(found.loc[TESTS[name]], DIGITS[name]) for name in ("r", "chi", "C5")]
    return [probe_label(probe), *changes, nodepth, *measured, "", "", *readings.verdict_words(readings.of_solu, probe)]


def _of_block(readings: Readings, block: str) -> list[str | Cell]:
    found = readings.of_nodepth[readings.of_nodepth["reading"] == block].set_index(["claim", "test"])
    solu, of_block = (_cell(found.loc["C8", test], DIGITS["C8"]) for test in ("primary", "block"))
    exponent = _cell(found.loc["C7", "primary"], DIGITS["C7"])
    words = readings.verdict_words(readings.of_nodepth, block)
    return [architecture_label(block), *[""] * len(GROUPS), solu, "", "", "", exponent, of_block, *words]


def _cell(row: pd.Series, digits: int) -> Cell:
    """Return the estimate of a test with its interval; a dash where it was not tested."""
    if pd.isna(row["estimate"]):
        return Cell.of(np.nan, digits)
    half = (row["high"] - row["low"]) / 2  # Student's interval, the same on both sides
    return Cell(Estimate(row["estimate"], half, row["n"]), digits, best=row["verdict"] == SUPPORTED)


def _is_empty(part: str | Cell) -> bool:
    return part in ("", "–") if isinstance(part, str) else bool(np.isnan(part.estimate.mean))
