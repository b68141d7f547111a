"""Pareto fronts, against points whose front is plain, and the table of a zoo of architectures."""

import numpy as np
import pandas as pd
import pytest

from lowparam.params import load
from lowparam.report.context import Context
from lowparam.report.pareto import front, front_letters
from lowparam.report.tables import measures, zoo
from synthetic import add, experiment_grid

PARAMS = """
data: {digits: {source: digits, split: {train: 0.6, validation: 0.15, test: 0.25}}}
recipes: {digits: {epochs: 1, batch_size: 64, lr: 0.004}}
replicate: [mine]
experiments:
  mine:
    {data: digits, recipe: digits, probes: [none], budgets: [10k, 25k], seeds: [0, 1], architectures:
     [mobilenetv1, mobilenetv2, mobilenetv3, mobilenext, convnext, convnextv2, nodepth_a, nodepth_b, starnet, van]}
"""


@pytest.mark.parametrize(
    ("costs", "values", "expected"),
    [
        ([3, 1, 2], [0.9, 0.5, 0.7], [1, 2, 0]),  # better and dearer each time
        ([1, 2, 3], [0.9, 0.5, 0.7], [0]),  # the cheapest beats all
        ([1, 1, 2], [0.5, 0.6, 0.6], [1]),  # as good at more cost is beaten
        ([2, 2], [0.5, 0.5], [0]),  # of equal points the first
        ([1, 2, np.nan], [np.nan, 0.5, 0.9], [1]),  # a missing number is on no front
        ([], [], []),
    ],
)
def test_the_front_has_what_no_other_point_beats(costs, values, expected):
    assert front(costs, values) == expected


def test_no_point_on_the_front_is_beaten_and_each_other_is():
    rng = np.random.default_rng(0)
    costs, values = rng.integers(0, 20, 60), rng.integers(0, 20, 60)
    on = front(costs.tolist(), values.tolist())

    def beaten(place: int) -> bool:
        at_least = (costs <= costs[place]) & (values >= values[place])
        return bool((at_least & ((costs < costs[place]) | (values > values[place]))).any())

    assert {place for place in range(60) if not beaten(place)} >= set(on)
    distinct = {(costs[place], values[place]) for place in range(60) if not beaten(place)}
    assert {(costs[place], values[place]) for place in on} == distinct


def test_each_network_is_named_by_the_fronts_that_it_is_on():
    costs = pd.DataFrame({"macs": [1, 2, 3], "bytes": [3, 2, 1]}, index=[("a", 1), ("b", 1), ("c", 1)])
    accuracy = pd.Series([0.5, 0.4, 0.9], index=costs.index)
    letters = {"macs": "M", "bytes": "B"}
    assert front_letters(costs, accuracy, letters, ()) == {("a", 1): "M", ("b", 1): "", ("c", 1): "MB"}
    without = front_letters(costs, accuracy.iloc[::-1], letters, [("c", 1)])
    assert without == {("a", 1): "MB", ("b", 1): "B", ("c", 1): ""}


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    runs = experiment_grid(load(), "mine")
    runs = add(runs, 0.05, architecture=["van"], budget=["10k"])
    runs = add(runs, 0.04, architecture=["nodepth_b"])
    runs.loc[runs["architecture"] == "nodepth_b", "status"] = "untrained"
    (tmp_path / "results/mine").mkdir(parents=True)
    runs.to_csv(tmp_path / "results/mine/runs.csv", index=False)
    return Context(load(), "mine")


def test_the_table_of_a_zoo_is_sorted_and_names_the_fronts(context):
    made = zoo.make(context)
    numbers = made.numbers.set_index(["architecture", "budget"])
    small = made.numbers[made.numbers["budget"] == "10k"]
    assert small["test_accuracy"].is_monotonic_decreasing
    assert small["architecture"].iloc[0] == "van"
    assert "P" in numbers.loc[("van", "10k"), "front"]
    assert numbers.loc[("nodepth_b", "25k"), "front"] == "", "an untrained network is on no front"
    assert any("‡" in note for note in made.notes)


def test_a_measure_that_ranks_networks_as_another_does_is_redundant(context):
    runs = context.runs
    network, seed = runs.groupby(["architecture", "budget"]).ngroup(), runs["seed"].to_numpy()
    rng = np.random.default_rng(0)
    runs = runs.assign(
        r_projection=network + 0.01 * seed,
        log_ci_projection=-np.exp(network / 5.0) - 0.01 * seed,  # the same order, turned round
        chi_last=rng.permutation(20)[network] + 0.01 * seed,
        capacity_used=rng.normal(size=len(runs)),  # of each seed by itself
        dead_directions=0.0,
    )
    runs.to_csv("results/mine/runs.csv", index=False)
    found = measures.make(Context(load(), "mine")).numbers.set_index("measure")
    assert found.loc["log_ci_projection", "reading"] == "redundant with r_projection"
    assert found.loc["log_ci_projection", "rho"] == pytest.approx(-1)
    assert found.loc["r_projection", "reading"] == "", "of two, the first is kept"
    assert found.loc["chi_last", "reading"] == ""
    assert found.loc["chi_last", "icc"] > 0.99
    assert found.loc["capacity_used", "reading"] == "unreliable"
    assert "dead_directions" not in found.index, "it is the same in all networks"
    assert found.loc["capacity_used", "rho_superposition"] > 0.9
    assert found.loc["log_ci_projection", "rho_superposition"] < 0.5
