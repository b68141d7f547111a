"""Whether each measure of the profile sees superposition in real blocks: its association with the true one."""

import numpy as np
import pandas as pd

from lowparam.interference.summary import measure_columns
from lowparam.report.context import Context
from lowparam.report.formats import Cell
from lowparam.report.known_doses import TRUTH, dosed_runs
from lowparam.report.table_format import Table

CAPTION = (
    "Measures of the profile against true interference on {experiment}, over numbers of known features and their "
    "sparsity at a fixed budget, without probe: Spearman's correlation over doses with true cross-talk and with true "
    "dimensionality, mean over blocks and budgets; change in standard deviations for one of true cross-talk; the "
    "blocks in which the correlation has the sign of the mean; and the number of features from which it breaks, that "
    "is from which the measure no longer moves on with true cross-talk. Means over {seeds} seeds. "
    "A measure with |ρ| below 0.5 does not see superposition here."
)
APPLIES = ("has_four_doses",)
ORDER = 53
SEES = 0.5
FEWEST = 4  # doses of which a correlation says something


def make(context: Context) -> Table:
    """Compute a row for each measure that does not see the truth itself."""
    numbers = calibrate(dosed_runs(context))
    header = ["measure", "ρ with true χ", "ρ with true D", "slope", "same sign", "breaks at n", "reading"]
    rows = [
        [
            row.measure,
            Cell.of(row.rho_chi, 2),
            Cell.of(row.rho_dimensionality, 2),
            Cell.of(row.slope, 2),
            f"{row.same_sign} of {row.units}",
            "–" if np.isnan(row.breaks_at) else str(int(row.breaks_at)),
            row.reading,
        ]
        for row in numbers.itertuples()
    ]
    return Table(header=header, rows=rows, labels=1, numbers=numbers)


def calibrate(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare measures with the truth over doses, within each block and budget.

    Parameters
    ----------
    runs : DataFrame
        As `dosed_runs` returns them.

    Returns
    -------
    DataFrame
        A row a measure: ``measure``, ``rho_chi`` and ``rho_dimensionality`` (Spearman, mean over blocks and budgets),
        ``slope`` (of standardised values, the median), ``same_sign`` of ``units``, ``breaks_at`` (the number of
        features after which the measure no longer goes on with true cross-talk in most units at the lower presence;
        NaN if it does to the end) and ``reading``.
    """
    runs = runs[runs["probe"] == "none"]
    measures = [name for name in measure_columns(runs.columns) if name not in TRUTH and not name.startswith("true_")]
    measures = [name for name in measures if name != "features_limit"]
    keys = ["block", "budget"]
    means = runs.groupby([*keys, "presence", "features"])[[*measures, *(set(TRUTH) & {*runs})]].mean().reset_index()
    rows = []
    for name in measures:
        found = [_compare(unit, name) for _, unit in means.groupby(keys)]
        found = [each for each in found if each is not None]
        if not found:
            continue
        rho_chi, rho_dimensionality, slope = np.array([each[:3] for each in found]).T
        mean = float(np.nanmean(rho_chi))
        breaks = [each[3] for each in found]
        stops = [each for each in breaks if each == each]
        rows.append(
            {
                "measure": name,
                "rho_chi": mean,
                "rho_dimensionality": float(np.nanmean(rho_dimensionality)),
                "slope": float(np.nanmedian(slope)),
                "same_sign": int((np.sign(rho_chi) == np.sign(mean)).sum()),
                "units": len(found),
                "breaks_at": sorted(stops)[(len(stops) - 1) // 2] if 2 * len(stops) > len(breaks) else np.nan,
                "reading": "sees it" if abs(mean) >= SEES else "does not see it",
            }
        )
    return pd.DataFrame(rows)


def _compare(unit: pd.DataFrame, name: str) -> tuple[float, float, float, float] | None:
    """Return both rank correlations, the slope, and where it breaks, of a measure in one block at one budget."""
    known = unit[[name, "true_chi_last", "true_dimensionality_last", "presence", "features"]].dropna()
    if len(known) < FEWEST or known[name].nunique() < 2 or known["true_chi_last"].nunique() < 2:
        return None
    ranks = known[[name, "true_chi_last", "true_dimensionality_last"]].corr("spearman")
    slope = known[name].corr(known["true_chi_last"])  # of standardised values, it is Pearson's correlation
    line = known[known["presence"] == known["presence"].min()].sort_values("features")
    sign = np.sign(ranks.loc[name, "true_chi_last"])
    moves = sign * np.diff(line[name]) * np.sign(np.diff(line["true_chi_last"]))
    wrong = np.flatnonzero(moves < 0)
    breaks = float(line["features"].iloc[wrong[0]]) if len(wrong) else np.nan
    return ranks.loc[name, "true_chi_last"], ranks.loc[name, "true_dimensionality_last"], slope, breaks
