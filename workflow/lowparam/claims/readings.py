"""Judge claims under every reading of what a paper leaves open: the same test with another probe or another block.

Hollard et al. 2025 give neither the place nor the form of SoLU, and no definition of the NoDepth bottleneck. The claims
are judged under a headline reading. This module repeats their tests with each other reading in its place, so that
everybody sees which reading, if any, shows what the paper reports.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lowparam.claims.base import ClaimTest
from lowparam.claims.finding import CONTRADICTED, SUPPORTED
from lowparam.claims.judge import COLUMNS, judge
from lowparam.claims.registry import Registry

__all__ = ["BLOCK", "CHOSEN_ON", "PATTERN", "PROBE", "chosen", "judge_readings", "primary_test", "under"]

PROBE, BLOCK = "solu_s1", "nodepth_a"
"""The headline readings of SoLU and of NoDepth, which the claims name."""

PATTERN = ("C4", "C5", "C8")
"""Claims that together are the paper's pattern: SoLU lowers overlap, costs ConvNeXt less than others, and does NoDepth
good."""

CHOSEN_ON = "solu"
"""The experiment on which the reading for other data is chosen."""


def primary_test(registry: Registry, claim: str) -> ClaimTest:
    """Return the test by which a claim is judged."""
    return next(test for (name, _), test in registry.tests().items() if name == claim and test.primary)


def under(test: ClaimTest, headline: str, reading: str) -> ClaimTest:
    """Return a test in which a reading replaces the headline reading; its id is the reading's name."""
    changed = type(test).model_validate(_replaced(test.model_dump(), headline, reading))
    return changed.model_copy(update={"id": reading, "primary": False, "paper_value": None, "paper_where": ""})


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(part, old, new) for key, part in value.items()}
    if isinstance(value, list):
        return [_replaced(part, old, new) for part in value]
    return new if value == old else value


def judge_readings(
    registry: Registry,
    experiment: str,
    runs: pd.DataFrame,
    tests: Mapping[tuple[str, str], ClaimTest],
    headline: str,
    readings: Sequence[str],
) -> pd.DataFrame:
    """Judge tests under each reading.

    Each test is corrected by Holm for the number of readings, so that the best of many has to be better than luck.

    Parameters
    ----------
    registry : Registry
        The claims.
    experiment : str
        Its name.
    runs : DataFrame
        As in runs.csv.
    tests : mapping of (claim, name) to ClaimTest
        Tests that name the headline reading.
    headline : str
        The probe or block that each reading replaces.
    readings : sequence of str
        Probes or blocks.

    Returns
    -------
    DataFrame
        A row for each test and reading: ``reading``, `COLUMNS`, with the name of the test as ``test``.
    """
    tables = []
    for (claim, name), test in tests.items():
        only = registry.only(claim)
        copies = [under(test, headline, reading) for reading in readings]
        only.claims = [found.model_copy(update={"tests": copies}) for found in only.claims]
        rows = judge(only, experiment, runs).rows
        tables.append(rows.assign(reading=rows["test"], test=name))
    return pd.concat(tables, ignore_index=True)[["reading", *COLUMNS]]


def chosen(judged: pd.DataFrame, readings: Sequence[str]) -> str:
    """Return the reading that other data are judged under, by the rule of docs/science/protocol.md.

    The rule was written before the runs: most claims of `PATTERN` supported; among equals the fewest contradicted;
    among those the first of `readings`, of which the headline reading is one if it is there.

    Parameters
    ----------
    judged : DataFrame
        What `judge_readings` returned; only the tests named ``primary`` count.
    readings : sequence of str
        Names of readings, not of controls.
    """
    counted = judged[judged["claim"].isin(PATTERN) & judged["test"].eq("primary")]

    def score(reading: str) -> tuple[int, int]:
        verdicts = counted.loc[counted["reading"] == reading, "verdict"]
        return -int(verdicts.eq(SUPPORTED).sum()), int(verdicts.eq(CONTRADICTED).sum())

    return min(sorted(readings, key=lambda name: name != PROBE), key=score)
