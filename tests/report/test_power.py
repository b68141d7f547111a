"""How many replicates a claim needs, by the numbers of claims.csv and by simulated runs."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from statsmodels.stats.power import TTestPower

from lowparam.claims.judge import COLUMNS, judge
from lowparam.claims.registry import load_registry
from lowparam.cli.settings import plan
from lowparam.errors import LowparamError
from lowparam.params import load
from lowparam.report.verdicts.overview import read_verdicts
from lowparam.report.verdicts.power import needed
from synthetic import add, grid, noisy

REGISTRY = load_registry()
ROOT = Path(__file__).parents[2]


@pytest.fixture
def recorded(monkeypatch) -> pd.DataFrame:
    """The verdicts of this repository."""
    monkeypatch.chdir(ROOT)
    if not list(Path("results").glob("*/claims.csv")):
        pytest.skip("no results in this clone")
    return read_verdicts(load())


def row(**values) -> dict:
    usual = {"experiment": "mine", "place": "mine", "claim": "C2", "primary": False, "verdict": "inconclusive"}
    numbers = {"estimate": 0.5, "unit": "points", "n": 5, "replicates": "seeds"}
    return dict.fromkeys(COLUMNS) | usual | numbers | values


def test_primary_tests_come_first_and_numbers_are_those_of_the_verdicts():
    rows = [
        row(test="total_v2", smallest_effect=1.234, replicates_needed=7.0),
        row(test="total_v3", smallest_effect=1.0, replicates_needed=5.0),
        row(test="crossing_v2", smallest_effect=0.5, replicates_needed=3.0, verdict="contradicted"),
        row(test="total", primary=True, smallest_effect=2.0, replicates_needed=400.0),
        row(test="body", smallest_effect=np.nan, replicates_needed=np.nan, verdict="not comparable"),
        row(test="crossing_v3", estimate=np.nan, verdict="not tested"),
        row(test="renamed_since", smallest_effect=1.0, replicates_needed=7.0),
        row(claim="C1", test="rank", smallest_effect=1.0, replicates_needed=3.0),
    ]
    table = needed(pd.DataFrame(rows), REGISTRY, "C2")
    assert table["test"].tolist() == ["total (primary)", "total_v2", "total_v3", "crossing_v2", "body"]
    assert table[["has", "detects", "needs"]].to_numpy().tolist() == [
        ["5 seeds", "2", "over 100"],
        ["5 seeds", "1.2", "7"],
        ["5 seeds", "1", "–"],
        ["5 seeds", "0.5", "no more"],
        ["5 seeds", "–", "–"],
    ]


def test_the_seeds_that_a_claim_needs_follow_from_the_spread_of_the_runs():
    """The number is that of statsmodels for the differences of the seeds, at the level that the correction leaves."""
    runs = add(noisy(grid(seeds=5), np.random.default_rng(0), 0.01), 0.006, architecture=["mobilenetv1"])
    judged = judge(REGISTRY.only("C2"), "mine", runs).rows
    printed = needed(judged.assign(place="mine"), REGISTRY, "C2").set_index("test").loc["total_v2"]
    wide = runs.pivot_table(index="seed", columns="architecture", values="test_accuracy")
    gain = wide["mobilenetv1"] - wide["mobilenetv2"]
    others = len(next(claim for claim in REGISTRY.claims if claim.id == "C2").tests) - 1
    expected = TTestPower().solve_power(gain.mean() / gain.std(), power=0.8, alpha=0.05 / others)
    assert 5 < expected < 100
    assert (printed["has"], printed["needs"]) == ("5 seeds", f"{np.ceil(expected):.0f}")


def test_no_advice_on_the_committed_results_contradicts_the_verdict_or_is_absurd(recorded):
    for claim in {entry.id for entry in REGISTRY.claims if entry.tests} & set(recorded["claim"]):
        for found in needed(recorded, REGISTRY, claim).itertuples():
            if found.needs not in ("–", "no more", "over 100"):
                assert found.verdict == "inconclusive"
                assert int(found.has.split()[0]) < int(found.needs) <= 100


@pytest.mark.parametrize(
    ("claim", "message"),
    [("C99", "unknown claim 'C99'; did you mean 'C9'"), ("C10", "C10 has no test, and no number of seeds settles it")],
)
def test_a_claim_that_cannot_be_planned_is_one_line(claim, message):
    with pytest.raises(LowparamError, match=re.escape(message)):
        needed(pd.DataFrame([row(test="total")]), REGISTRY, claim)


def test_the_command_prints_the_tests_on_one_experiment(recorded, capsys):
    plan(experiment="dose", cores=2, write=False, power="C3")
    printed = capsys.readouterr().out
    assert "dose (digits)" in printed and "intervention" in printed and "demonet" not in printed


def test_a_claim_without_results_names_where_it_is_looked_up(recorded, capsys):
    with pytest.raises(typer.Exit):
        plan(experiment="digits", cores=2, write=False, power="C15")
    assert "no test of C15 has results on digits yet; results/claims.md names" in capsys.readouterr().err
