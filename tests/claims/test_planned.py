"""Every experiment of params.yaml has the runs that workflow/claims expects of it, and all of them can be judged."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lowparam.claims.availability import arms, planned
from lowparam.claims.contrasts import selected
from lowparam.claims.finding import NOT_TESTED
from lowparam.claims.judge import COLUMNS, judge
from lowparam.claims.registry import load_registry
from lowparam.params import load
from synthetic import added_columns, experiment_grid, noisy

PARAMS = load(Path(__file__).parents[2] / "params.yaml")
REGISTRY = load_registry()
TESTS = [(claim.id, test) for claim in REGISTRY.claims for test in claim.tests]
MEASURES = (
    "train_accuracy",
    "r_projection",
    "dimensionality_projection",
    "forced_projection",
    "chi_stages",
    "chi_last",
)


def measures(experiment: str) -> tuple[str, ...]:
    """Columns that its runs have a number in."""
    deployed = ["int8_loss"] if PARAMS.experiment(experiment).deploy else []
    return (*MEASURES, *deployed, *added_columns(PARAMS, experiment))


def names(experiment: str) -> set[tuple[str, str]]:
    """Tests that the grid has runs for."""
    return {(claim, test["id"]) for claim, test in planned(PARAMS.experiment(experiment))}


@pytest.mark.parametrize("experiment", PARAMS.experiments)
def test_what_is_planned_is_what_can_be_judged(experiment):
    rng = np.random.default_rng(0)
    runs = noisy(experiment_grid(PARAMS, experiment), rng)
    for column in measures(experiment):
        runs = noisy(runs, rng, 0.02, column)
    judged = judge(REGISTRY, experiment, runs).rows
    tested = judged[judged["test"].notna() & judged["verdict"].ne(NOT_TESTED)]
    if PARAMS.experiment(experiment).counting == "body":  # the simulated totals are equal, those of networks are not
        tested = tested[~tested["kind"].isin(["rank", "slopes"])]
    assert set(zip(tested["claim"], tested["test"], strict=True)) == names(experiment)
    assert tested["estimate"].notna().any() == bool(names(experiment))


def test_every_test_names_an_experiment_that_has_its_runs():
    for claim, test in TESTS:
        if test.experiment != "star":
            assert (claim, test.id) in names(test.experiment), (claim, test.id, test.experiment)


def test_arms_are_those_of_the_test():
    """What is read from the text is what the objects contain."""
    for _, test in TESTS:
        raw = test.model_dump(exclude_none=True)
        assert arms(raw) == [dict(arm) for arm in test.arms()], test.id


@pytest.mark.parametrize(
    "claim",
    [
        claim
        for claim in REGISTRY.claims
        for test in claim.tests
        if test.primary and test.experiment != "star" and test.kind != "rank"  # of which all runs are the arm
    ],
    ids=lambda claim: claim.id,
)
def test_without_its_runs_a_claim_is_not_tested_and_nothing_else_changes(claim):
    (primary,) = [test for test in claim.tests if test.primary]
    runs = noisy(experiment_grid(PARAMS, primary.experiment), np.random.default_rng(0))
    for column in measures(primary.experiment):
        runs = noisy(runs, np.random.default_rng(1), 0.02, column)
    gone = selected(runs, primary.arms()[:1])
    assert gone.any() and not gone.all()
    before, after = (
        judge(REGISTRY, primary.experiment, each).rows for each in (runs, runs[~gone].reset_index(drop=True))
    )
    found = after[(after["claim"] == claim.id) & after["primary"].eq(True)].iloc[0]
    assert found["verdict"] == NOT_TESTED and found["reason"].startswith("no ")
    assert found["command"] == f"snakemake {primary.experiment}"
    untouched = {(c, t.id) for c, t in TESTS if not (t.arms() and (selected(runs, t.arms()) & gone).any())}
    same = [name for name in COLUMNS if name not in ("p_holm", "verdict", "reason")]  # these depend on the others' p
    rows = [key in untouched for key in zip(before["claim"], before["test"], strict=True)]
    pd.testing.assert_frame_equal(before.loc[rows, same], after.loc[rows, same], check_dtype=False)
    tested = before.loc[rows, "verdict"].ne(NOT_TESTED)
    assert (tested == after.loc[rows, "verdict"].ne(NOT_TESTED)).all()
