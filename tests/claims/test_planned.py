"""Every experiment of params.yaml has the runs that claims.yaml expects of it, and all of them can be judged."""

from pathlib import Path

import numpy as np
import pytest

from lowparam.claims.finding import NOT_TESTED
from lowparam.claims.judge import STAR, judge
from lowparam.claims.planned import arms, planned
from lowparam.claims.registry import load_registry
from lowparam.params import load
from synthetic import experiment_grid, noisy

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


def names(experiment: str) -> set[tuple[str, str]]:
    """Tests that the grid has runs for."""
    return {(claim, test["id"]) for claim, test in planned(PARAMS.experiment(experiment))}


@pytest.mark.parametrize("experiment", PARAMS.experiments)
def test_what_is_planned_is_what_can_be_judged(experiment):
    rng = np.random.default_rng(0)
    runs = noisy(experiment_grid(PARAMS, experiment), rng)
    for column in MEASURES:
        runs = noisy(runs, rng, 0.02, column)
    judged = judge(REGISTRY, {experiment: runs})
    tested = judged[judged["test"].notna() & judged["verdict"].ne(NOT_TESTED)]
    assert set(zip(tested["claim"], tested["test"], strict=True)) == names(experiment)
    assert tested["estimate"].notna().any()


def test_every_test_names_an_experiment_that_has_its_runs():
    for claim, test in TESTS:
        if test.run != STAR:
            assert (claim, test.id) in names(test.run), (claim, test.id, test.run)


def test_arms_are_those_of_the_test():
    """What is read off the text is what the objects say."""
    for _, test in TESTS:
        raw = test.model_dump(exclude_none=True)
        assert arms(raw) == [dict(arm) for arm in test.arms()], test.id
