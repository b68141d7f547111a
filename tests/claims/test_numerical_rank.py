import pytest

from lowparam.claims.finding import CONTRADICTED, SUPPORTED, NotTested, verdict
from lowparam.claims.kinds.numerical_rank import NumericalRank
from lowparam.studies.star.dimension import count_dimensions, count_growth

COMMON = {"id": "it", "about": "what it is about", "outcome": "rank", "experiment": "star", "kind": "numerical_rank"}


@pytest.fixture(scope="module")
def dimension():
    return count_dimensions(5).assign(table="dimension")


def judged(test, runs):
    found = test.find(runs)
    return verdict(found, found.p)


def test_the_closed_form_is_supported_and_the_printed_one_contradicted(dimension):
    assert judged(NumericalRank(table="dimension", formula="closed_form", **COMMON), dimension) == SUPPORTED
    assert judged(NumericalRank(table="dimension", formula="printed_form", **COMMON), dimension) == CONTRADICTED


def test_a_star_exceeds_a_sum_and_not_the_other_way_round(dimension):
    assert judged(NumericalRank(table="dimension", exceeds="sum", **COMMON), dimension) == SUPPORTED
    other = NumericalRank(table="dimension", operator="sum", exceeds="star", **COMMON)
    assert judged(other, dimension) == CONTRADICTED


def test_a_single_width_that_does_not_fit_is_a_counterexample(dimension):
    broken = dimension.copy()
    broken.loc[(broken["operator"] == "star") & broken["bias"] & (broken["channels"] == 4), "rank"] += 1
    assert judged(NumericalRank(table="dimension", formula="closed_form", **COMMON), broken) == CONTRADICTED


def test_growth_over_layers():
    growth = count_growth(2, 3, 200).assign(table="growth")
    test = NumericalRank(table="growth", layers=2, formula="closed_form", **COMMON)
    assert judged(test, growth) == SUPPORTED
    assert set(growth["layers"]) == {1, 2}


def test_runs_of_networks_hold_no_ranks(dimension):
    test = NumericalRank(table="dimension", formula="closed_form", **COMMON)
    with pytest.raises(NotTested):
        test.find(dimension.drop(columns="table"))
