"""What a result may be due to other than the claim."""

from pathlib import Path

import pandas as pd
import pytest

from lowparam import params
from lowparam.claims.caveats import different_rates, low_runs, with_circumstances
from lowparam.claims.kinds.dose import Dose
from lowparam.claims.kinds.paired import Paired
from lowparam.claims.kinds.rank import Rank

ABOUT = {"id": "t", "about": "one against another", "experiment": "digits", "direction": "greater"}


def runs(rates, accuracies=None):
    """Return a run for each architecture (with a probe after a space) and its learning rate."""
    names = [name.partition(" ") for name in rates]
    return pd.DataFrame(
        {
            "architecture": [name for name, _, _ in names],
            "probe": [probe or "none" for _, _, probe in names],
            "budget": "25k",
            "learning_rate": list(rates.values()),
            "test_accuracy": accuracies or 1.0,
            "baseline_accuracy": 0.9,
        }
    )


def paired(outcome="r_projection", plus="a", minus="b", **arms):
    return Paired(
        kind="paired", outcome=outcome, plus={"architecture": [plus]}, minus={"architecture": [minus]}, **ABOUT
    )


def test_a_measure_that_is_compared_between_rates_is_named_with_them():
    assert different_rates(paired(), runs({"a": 0.02, "b": 0.18})) == "0.02 against 0.18"


@pytest.mark.parametrize("outcome", ["test_accuracy", "features_found", "forced_projection"])
def test_accuracy_and_what_shapes_force_may_be_compared_between_rates(outcome):
    assert different_rates(paired(outcome), runs({"a": 0.02, "b": 0.18})) == ""


def test_equal_rates_and_unknown_ones_are_not_named():
    assert different_rates(paired(), runs({"a": 0.02, "b": 0.02, "c": 0.18})) == ""
    assert different_rates(paired(), runs({"a": 0.02, "b": 0.18}).drop(columns="learning_rate")) == ""


def test_rates_are_compared_architecture_by_architecture():
    """Both arms have the same two rates, but no architecture has the same in both."""
    test = Paired(
        kind="paired",
        outcome="chi_stages",
        plus={"architecture": ["a", "b"], "probe": ["solu_s1"]},
        minus={"architecture": ["a", "b"]},
        **ABOUT,
    )
    exchanged = runs({"a": 0.02, "b": 0.06, "a solu_s1": 0.06, "b solu_s1": 0.02})
    assert different_rates(test, exchanged) == "0.02, 0.06, exchanged between architectures"
    assert different_rates(test, runs({"a": 0.02, "b": 0.06, "a solu_s1": 0.02, "b solu_s1": 0.06})) == ""


def test_a_mean_over_architectures_with_a_rate_each_is_no_comparison_between_them():
    alone = Paired(kind="paired", outcome="r_projection", plus={"architecture": ["*"]}, reference=1.0, **ABOUT)
    assert different_rates(alone, runs({"a": 0.02, "b": 0.06})) == ""


def test_an_association_compares_all_of_its_networks():
    rank = Rank(kind="rank", outcome="test_accuracy", measure="r_projection", **ABOUT)
    assert different_rates(rank, runs({"a": 0.02, "b": 0.06})) == "0.02, 0.06"


def test_doses_are_compared_where_they_have_to_move_a_measure():
    doses = {"i0": 0.0, "i1": 1.0, "i2": 2.0}
    test = Dose(
        kind="dose",
        outcome="test_accuracy",
        plus={"architecture": ["a@{dose}"]},
        doses=doses,
        moved="r_projection",
        **ABOUT,
    )
    assert different_rates(test, runs({"a@i0": 0.02, "a@i1": 0.06, "a@i2": 0.02})) == "0.02 against 0.06"
    assert different_rates(test.model_copy(update={"moved": None}), runs({"a@i0": 0.02, "a@i1": 0.06})) == ""


def test_runs_below_a_linear_model_are_counted_and_named():
    table = runs({"a": 0.02, "b": 0.02}, [0.95, 0.5])
    assert low_runs(paired(), table) == "Less accurate than a linear model: 1 of 2 runs (1 of b at 25k)."
    assert low_runs(paired(), runs({"a": 0.02, "b": 0.02}, [0.95, 0.99])) == ""


def test_rates_are_those_that_tuning_chose(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    found = with_circumstances(params.load(), "ablation", pd.read_csv("results/ablation/runs.csv"))
    rates = found.groupby("architecture")["learning_rate"].unique()
    assert rates["mobilenetv2"] == [0.18] and rates["mobilenetv2+gelu"] == [0.02]
    assert (found["baseline_accuracy"] > 0.9).all()
