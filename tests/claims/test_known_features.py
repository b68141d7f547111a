"""The predictions of docs/science/factors.md are tests of their claims, on runs in which it is known what is true."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lowparam.claims.availability import planned
from lowparam.claims.contrasts import selected
from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_TESTED, SUPPORTED
from lowparam.claims.judge import judge
from lowparam.claims.registry import load_registry
from lowparam.interference.summary import columns
from lowparam.params import load
from synthetic import add, experiment_grid, noisy

ROOT = Path(__file__).parents[2]
PARAMS, REGISTRY = load(ROOT / "params.yaml"), load_registry()
NAME = "known_features"
TESTS = {claim: test for (claim, name), test in REGISTRY.tests().items() if name == NAME}
CLAIMS = {"factors": ["C1", "C3", "C6", "C9", "C11", "C22"], "factors_solu": ["C4", "C5"]}

RATIOS = {"ablation_mobilenetv2_e2": 2, "ablation_mobilenetv2_e4": 4, "mobilenetv2": 6}
CORE = ["mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenext", "convnext", "nodepth_a"]
PLACES = ["solu_s1", "solu_s2", "solu_s3"]
NOISE = {"features_found": 1.0, "features_explained": 1.0}


def wide(blocks) -> list[str]:
    """The names of blocks with 48 and with 96 features."""
    return [f"{block}@n{n}_p0.05" for block in blocks for n in (48, 96)]


def ratio(runs, columns, sign=1):
    """Change columns by so much for each unit of V2's expansion ratio."""
    for name, size in RATIOS.items():
        for column, slope in columns.items():
            runs = add(runs, sign * slope * size, column, architecture=wide([name]))
    return runs


def doublings(runs, blocks, columns):
    """Change columns by so much for each doubling of the number of features."""
    for place, n in enumerate((6, 12, 24, 48, 96)):
        for column, slope in columns.items():
            names = [f"{block}@n{n}_p0.05" for block in blocks]
            runs = add(runs, slope * place, column, architecture=names)
    return runs


def c1(runs, sign):
    return ratio(runs, {"features_found": -4, "true_chi_last": 0.1}, sign)


def c3(runs, sign):
    runs = add(runs, 10 * sign, "features_found", architecture=wide(["mobilenetv1"]))
    return add(runs, 0.5 * sign, "true_r_stages", architecture=wide(["mobilenetv1"]))


def c4(runs, sign):
    return add(runs, -0.3 * sign, "true_chi_stages", probe=PLACES)


def c5(runs, sign):
    """SoLU costs eight features, and ten fewer or more in ConvNeXt."""
    runs = add(runs, -8, "features_found", probe=PLACES)
    return add(runs, 10 * sign, "features_found", probe=PLACES, architecture=["convnext@n24_p0.05"])


def c6(runs, sign):
    stream = wide(["ablation_mobilenetv2_stream"])
    return add(
        add(runs, 10 * sign, "features_found", architecture=stream), -0.3 * sign, "true_chi_last", architecture=stream
    )


def c9(runs, sign):
    return doublings(runs, CORE, {"true_chi_last": 0.1 * sign, "false_positives": 0.1 * sign})


def c11(runs, sign):
    return doublings(runs, ["nodepth_a"], {"features_explained": 4 * sign, "true_dimensionality_last": -0.1 * sign})


def c22(runs, sign):
    """Star finds eight more than sum, and ten more or fewer than that at the larger budget."""
    runs = add(runs, 8, "features_found", architecture=wide(["demonet_star"]))
    return add(runs, -10 * sign, "features_found", architecture=wide(["demonet_star"]), budget=["24k"])


MAKE = {"C1": c1, "C3": c3, "C4": c4, "C5": c5, "C6": c6, "C9": c9, "C11": c11, "C22": c22}


OUTCOMES = [
    "features_found",
    "features_explained",
    "false_positives",
    "true_chi_last",
    "true_chi_stages",
    "true_r_stages",
    "true_dimensionality_last",
]


def runs_of(claim: str, change=lambda runs: runs) -> pd.DataFrame:
    """The runs of params.yaml that a claim's test names, changed and then noisy in all columns of known features."""
    rng = np.random.default_rng(0)
    runs = change(experiment_grid(PARAMS, TESTS[claim].experiment))
    for column in OUTCOMES:
        runs = noisy(runs, rng, NOISE.get(column, 0.03), column)
    return runs


def judged(claim: str, runs: pd.DataFrame) -> pd.Series:
    """The row of the test, corrected with the other tests of its claim."""
    rows = judge(REGISTRY.only(claim), TESTS[claim].experiment, runs).rows
    return rows[rows["test"] == NAME].iloc[0]


def test_each_prediction_is_one_test_that_does_not_decide_its_claim():
    text = (ROOT / "docs/science/factors.md").read_text(encoding="utf-8")
    lines = text.partition("## Predictions")[2].partition("\n## ")[0].splitlines()
    predicted = [line.split("|")[1].strip() for line in lines if line.startswith("| C")]
    assert sorted(predicted) == sorted(TESTS) == sorted(MAKE)
    assert f"`{NAME}`" in text
    assert not any(test.primary for test in TESTS.values())


@pytest.mark.parametrize("claim", MAKE)
def test_what_was_predicted_is_supported_and_its_reverse_contradicts(claim):
    make = MAKE[claim]
    for sign, expected in ((1, SUPPORTED), (-1, CONTRADICTED)):
        found = judged(claim, runs_of(claim, lambda runs, sign=sign: make(runs, sign)))
        assert found["verdict"] == expected, (sign, found["reason"])


@pytest.mark.parametrize("claim", MAKE)
def test_flat_runs_are_inconclusive(claim):
    assert judged(claim, runs_of(claim))["verdict"] == INCONCLUSIVE


@pytest.mark.parametrize(
    ("claim", "change"),
    [
        ("C1", lambda runs: ratio(runs, {"features_found": -4, "true_chi_last": -0.1})),
        ("C1", lambda runs: ratio(runs, {"true_chi_last": 0.1})),
        ("C3", lambda runs: add(c3(runs, 1), 10, "features_found", architecture=wide(["mobilenetv3"]))),
        ("C3", lambda runs: add(c3(runs, 1), -1, "true_r_stages", architecture=wide(["mobilenetv1"]))),
        ("C4", lambda runs: add(c4(runs, 1), 0.3, "true_chi_stages", probe=["solu_s3"])),
        ("C6", lambda runs: add(runs, 10, "features_found", architecture=wide(["ablation_mobilenetv2_stream"]))),
        ("C9", lambda runs: doublings(runs, CORE, {"true_chi_last": 0.1})),
        (
            "C11",
            lambda runs: doublings(runs, ["nodepth_a"], {"features_explained": 4, "true_dimensionality_last": 0.1}),
        ),
        ("C22", lambda runs: add(runs, 8, "features_found", architecture=wide(["demonet_star"]))),
        ("C22", lambda runs: add(c22(runs, 1), -18, "features_found", architecture=wide(["demonet_star"]))),
    ],
)
def test_half_of_a_prediction_is_inconclusive(claim, change):
    """A part that does not hold withholds support; one that contradicts alone is named in `contradicts`."""
    assert judged(claim, runs_of(claim, change))["verdict"] == INCONCLUSIVE


def test_where_only_one_of_two_rivals_finds_more_than_v1_the_prediction_is_contradicted():
    change = lambda runs: add(c3(runs, 1), 20, "features_found", architecture=wide(["mobilenetv3"]))  # noqa: E731
    assert judged("C3", runs_of("C3", change))["verdict"] == CONTRADICTED


@pytest.mark.parametrize("claim", ["C6", "C11"])
def test_predictions_for_the_smaller_budget_do_not_look_at_the_larger(claim):
    before = runs_of(claim)
    after = before.copy()
    after.loc[after["budget"] == "24k", OUTCOMES] += 100
    assert judged(claim, before)["estimate"] == judged(claim, after)["estimate"]


@pytest.mark.parametrize("experiment", PARAMS.experiments)
def test_only_the_two_experiments_with_all_arms_doses_and_budgets_have_the_runs(experiment):
    has = [claim for claim, test in planned(PARAMS.experiment(experiment)) if test["id"] == NAME]
    assert sorted(has) == sorted(CLAIMS.get(experiment, []))


@pytest.mark.parametrize("claim", MAKE)
def test_every_arm_has_its_dose_its_budget_and_its_five_seeds(claim):
    """The words of the arms mean what the recipe of their runs says."""
    test = TESTS[claim]
    assert claim in CLAIMS[test.experiment]
    runs = PARAMS.runs(test.experiment)
    frame = experiment_grid(PARAMS, test.experiment)
    for arm in test.arms():
        used = [run for run, chosen in zip(runs, selected(frame, [arm]), strict=True) if chosen]
        assert {run.seed for run in used} == set(range(5))
        for run in used:
            dose = PARAMS.recipe(run.scale).dose
            assert run.scale.label.endswith(f"@n{dose.features}_p{dose.presence:g}") and dose.presence == 0.05
    parts = getattr(test, "parts", {NAME: test}).values()
    for part in parts:
        assert columns()[part.outcome]["measure"] in PARAMS.experiment(test.experiment).profile.measures
        for word, number in (getattr(part, "doses", None) or {}).items():
            size = RATIOS.get(word) or np.log2(PARAMS.experiment(test.experiment).variants[word]["dose"]["features"])
            assert number == pytest.approx(size, abs=1e-3)


def test_the_arms_are_those_of_the_predictions():
    blocks = {
        claim: {name.partition("@")[0] for arm in test.arms() for name in arm["architecture"]}
        for claim, test in TESTS.items()
    }
    assert blocks == {
        "C1": set(RATIOS),
        "C3": {"mobilenetv1", "mobilenetv2", "mobilenetv3"},
        "C4": {*CORE} - {"nodepth_a"},
        "C5": {"convnext", "mobilenetv1", "mobilenetv2", "mobilenetv3"},
        "C6": {"mobilenetv2", "ablation_mobilenetv2_stream"},
        "C9": {*CORE},
        "C11": {"nodepth_a"},
        "C22": {"demonet_star", "demonet_sum"},
    }
    sizes = {
        claim: {size for arm in test.arms() for size in arm.get("budget", ["all"])} for claim, test in TESTS.items()
    }
    smaller = {"C6": {"12k"}, "C11": {"12k"}, "C22": {"12k", "24k"}}
    assert sizes == {claim: smaller.get(claim, {"all"}) for claim in TESTS}


def test_without_known_features_they_are_not_tested_and_name_the_command():
    runs = noisy(experiment_grid(PARAMS, "digits"), np.random.default_rng(0))
    rows = judge(REGISTRY, "digits", runs).rows
    found = rows[rows["test"] == NAME].set_index("claim")
    assert set(found.index) == set(TESTS)
    assert (found["verdict"] == NOT_TESTED).all() and found["p"].isna().all()
    assert found.loc["C4", "command"] == "snakemake factors_solu" and found.loc["C9", "command"] == "snakemake factors"
