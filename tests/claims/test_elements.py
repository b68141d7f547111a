"""Slopes over design elements: the truth that was put in, error rates, and what is left out."""

import numpy as np
import pandas as pd
import pytest

from lowparam.claims.elements import changes, summarise
from lowparam.claims.finding import CONTRADICTED, SUPPORTED, NotTested
from lowparam.claims.kinds.elements import Elements
from synthetic import add, allowed, definite, grid, noisy, share, verdicts

HOSTS = ["mobilenetv1", "mobilenetv2"]
PARTS = ["se", "gelu", "prelu", "ibn", "dcls", "shift", "spd", "frozen", "ela_b", "pade"]
ALONE = ["mobilenetv2+laurel_rw", "mobilenetv2+scale"]
NAMES = [*HOSTS, *(f"{host}+{part}" for host in HOSTS for part in PARTS), *ALONE]
TEST = Elements(
    kind="elements",
    id="it",
    about="what it is about",
    outcome="test_accuracy",
    experiment="elements",
    direction="greater",
    measure="r_projection",
    hosts={"architecture": HOSTS},
    among={"architecture": ["mobilenetv1+*", "mobilenetv2+*"]},
)


def experiment(slope: float):
    """Make experiments in which a part moves r, and accuracy by `slope` as much, on all hosts alike."""

    def make(rng: np.random.Generator) -> pd.DataFrame:
        runs = noisy(noisy(grid(NAMES, budgets=["25k"]), rng), rng, column="r_projection")
        for part in {name.partition("+")[2] for name in NAMES} - {""}:
            moved = rng.normal(0, 0.05)
            on = [name for name in NAMES if name.endswith(f"+{part}")]
            runs = add(runs, moved, "r_projection", architecture=on)
            runs = add(runs, slope * moved + rng.normal(0, 0.01), architecture=on)
        return runs

    return make


def test_a_slope_that_is_there_is_supported():
    assert share(verdicts(TEST, experiment(0.5), 50), SUPPORTED) > 0.8


def test_a_slope_against_the_prediction_is_contradicted():
    assert share(verdicts(TEST, experiment(-0.5), 50), CONTRADICTED) > 0.8


def test_no_slope_gives_few_verdicts():
    assert definite(verdicts(TEST, experiment(0.0))) <= allowed()


def test_the_estimate_is_the_slope_per_standard_deviation():
    runs = experiment(0.0)(np.random.default_rng(0)).assign(test_accuracy=lambda table: 0.5 * table["r_projection"])
    finding = TEST.find(runs)
    x = finding.data["x"].mean(axis=2)
    deviation = np.sqrt(np.nanmean((x - np.nanmean(x, axis=0)) ** 2))
    assert finding.estimate == pytest.approx(50 * deviation)
    assert (finding.low <= finding.estimate <= finding.high, finding.n) == (True, 12)
    assert np.isnan(finding.data["x"][-1, 0]).all()  # no shortcut in V1


def test_what_is_good_for_one_host_as_a_whole_is_no_evidence():
    runs = experiment(0.0)(np.random.default_rng(1))
    moved = add(add(runs, 1.0, "r_projection", architecture=HOSTS[:1]), 0.05, architecture=HOSTS[:1])
    assert TEST.find(moved).estimate == pytest.approx(TEST.find(runs).estimate)


def test_an_element_with_a_diverged_run_is_left_out_and_named():
    runs = experiment(0.0)(np.random.default_rng(0))
    gone = (runs["architecture"] == "mobilenetv1+se") & (runs["seed"] == 0)
    runs.loc[gone, "status"] = "diverged"
    assert "Left out because runs diverged or are untrained: mobilenetv1+se." in TEST.find(runs).note
    few = runs[runs["architecture"].isin([*HOSTS, "mobilenetv1+se", "mobilenetv2+gelu"])]
    with pytest.raises(NotTested, match="fewer than 5 elements"):
        TEST.find(few)


def test_an_element_that_did_not_train_is_left_out_and_named():
    runs = experiment(0.0)(np.random.default_rng(0))
    runs.loc[runs["architecture"] == "mobilenetv1+se", ["status", "test_accuracy"]] = "untrained", 0.1
    finding = TEST.find(runs)
    assert "Left out because runs diverged or are untrained: mobilenetv1+se." in finding.note
    assert finding.estimate == TEST.find(runs[runs["architecture"] != "mobilenetv1+se"]).estimate


def test_one_seed_is_enough_as_the_unit_is_the_part():
    runs = experiment(0.5)(np.random.default_rng(0))
    finding = TEST.find(runs[runs["seed"] == 0])
    assert finding.low < finding.estimate < finding.high and finding.n == 12
    alone = summarise(runs[runs["seed"] == 0])
    assert alone["mean"].notna().all() and alone[["half_width", "p", "p_holm"]].isna().all(axis=None)


def test_nothing_is_judged_where_all_runs_diverged_or_no_part_changes_the_measure():
    runs = experiment(0.5)(np.random.default_rng(0))
    with pytest.raises(NotTested, match="fewer than 5 elements have all runs"):
        TEST.find(runs.assign(status="diverged"))
    with pytest.raises(NotTested, match="no run has test_accuracy"):
        TEST.find(runs.assign(status="diverged", test_accuracy=np.nan))
    assert summarise(runs.assign(status="diverged"))[["mean", "p_holm"]].isna().all(axis=None)
    with pytest.raises(NotTested, match="no element changes r_projection"):
        TEST.find(runs.assign(r_projection=1.0))


def test_a_host_that_diverged_takes_its_elements_with_it():
    runs = experiment(0.5)(np.random.default_rng(0))
    runs.loc[runs["architecture"].eq("mobilenetv1") & runs["seed"].eq(0), "status"] = "diverged"
    finding = TEST.find(runs)
    assert list(finding.data["hosts"]) == ["mobilenetv2"] and "mobilenetv1+se" in finding.note


def test_changes_are_paired_by_seed_and_corrected_over_the_parts_of_a_block():
    runs = experiment(0.0)(np.random.default_rng(0))
    found = {(e.host, e.part): values for e, values in changes(runs, "test_accuracy").items()}
    table = runs.set_index(["architecture", "seed"])["test_accuracy"]
    expected = 100 * (table["mobilenetv2+scale"] - table["mobilenetv2"])
    np.testing.assert_allclose(found["mobilenetv2", "scale"], expected)
    rows = summarise(runs)
    assert len(rows) == 3 * (len(NAMES) - 2)
    v1 = rows[(rows["host"] == "mobilenetv1") & (rows["quantity"] == "r_projection")]
    assert v1["mean"].is_monotonic_decreasing
    assert v1["p_holm"].min() == pytest.approx(min(1.0, len(PARTS) * v1["p"].min()))
