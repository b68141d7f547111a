"""Tell from recorded spreads how many replicates a claim needs."""

from typing import Any

import numpy as np
import pandas as pd

from lowparam import registry as registries
from lowparam.claims.finding import CONTRADICTED, SUPPORTED
from lowparam.claims.judge import MOST_NEEDED
from lowparam.claims.registry import Registry
from lowparam.errors import LowparamError
from lowparam.report.formats import format_number
from lowparam.report.verdicts.view import current

__all__ = ["needed"]


def needed(verdicts: pd.DataFrame, registry: Registry, claim: str) -> pd.DataFrame:
    """List the tests of a claim that were made, with what they can detect and how many replicates would settle them.

    Parameters
    ----------
    verdicts : DataFrame
        Of `lowparam.report.verdicts.overview.read_verdicts`.
    registry : Registry
        The claims.
    claim : str
        Such as ``"C2"``.

    Returns
    -------
    DataFrame
        A row for each test on each experiment, primary tests first: what it found, the number of replicates, the
        smallest effect that they detect 4 times in 5 at the corrected level, and the number that would settle the
        question if the effect is as estimated. Both numbers are those of claims.csv. A dash where none follows from
        the runs: the verdict does not depend on a spread, or the number is not above the replicates there are.

    Raises
    ------
    LowparamError
        If there is no such claim, in which case the message offers the nearest, or it has no test.
    """
    stated = registries.get(claim, {entry.id: entry for entry in registry.claims}, "claim")
    if stated.without_test:
        raise LowparamError(f"{claim} has no test, and no number of seeds settles it: {stated.without_test}")
    made = current(verdicts, registry)
    made = made[(made["claim"] == claim) & made["estimate"].notna()]
    made = made.sort_values("primary", ascending=False, kind="stable")
    return pd.DataFrame(
        {
            "on": row.place,
            "test": f"{row.test} (primary)" if row.primary else row.test,
            "verdict": row.verdict,
            "estimate": f"{format_number(row.estimate, row.unit)} {row.unit}",
            "has": f"{row.n:.0f} {row.replicates}",
            "detects": _detects(row.smallest_effect),
            "needs": _needs(row),
        }
        for row in made.itertuples()
    )


def _detects(effect: float) -> str:
    return (
        np.format_float_positional(effect, precision=2, fractional=False, trim="-")
        if pd.notna(effect) and np.isfinite(effect)
        else "–"
    )


def _needs(row: Any) -> str:
    """Return how many replicates would settle a test; nothing that contradicts its verdict."""
    if row.verdict in (SUPPORTED, CONTRADICTED):
        return "no more"
    if row.replicates_needed > MOST_NEEDED:
        return f"over {MOST_NEEDED}"
    return f"{row.replicates_needed:.0f}" if row.replicates_needed > row.n else "–"
