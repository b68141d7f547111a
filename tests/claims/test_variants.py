"""An arm is judged at the best of its recipes, chosen in validation."""

from types import MappingProxyType

import numpy as np
import pytest

from lowparam.claims.best_variant import best_variants
from lowparam.claims.finding import CONTRADICTED, SUPPORTED, NotTested
from lowparam.claims.kinds.dose import Dose
from lowparam.claims.kinds.paired import Paired
from synthetic import add, allowed, definite, grid, noisy, share, verdicts

RATES = ("lr1", "lr2", "lr3")
NAMES = [f"{name}@{rate}" for name in ("mobilenetv1", "mobilenetv2") for rate in RATES]
ACCURACIES = ("validation_accuracy", "test_accuracy")
COMMON = {"id": "it", "about": "what it is about", "outcome": "test_accuracy", "experiment": "solu_lr"}


def suited(rng, gap: float = 0.0):
    """SoLU wants another learning rate than the plain network, and costs `gap` at its best."""
    runs = grid(NAMES, ["none", "solu_s1"], ["25k"])
    for column in ACCURACIES:
        for probe, best in (("none", "lr3"), ("solu_s1", "lr1")):
            worse = [name for name in NAMES if not name.endswith(best)]
            runs = add(runs, -0.2, column, architecture=worse, probe=[probe])
        runs = add(runs, -gap, column, probe=["solu_s1"])
        runs = noisy(runs, rng, 0.005, column)
    return runs


def of(architecture: str, probe: str) -> dict:
    return {"architecture": [architecture], "probe": [probe]}


def test_each_arm_gets_its_own_best():
    chosen = best_variants(suited(np.random.default_rng(0)))
    assert set(chosen["architecture"]) == {"mobilenetv1", "mobilenetv2"}
    assert len(chosen) == 2 * 2 * 5
    assert chosen["test_accuracy"].min() > 0.85


def test_a_cost_that_is_one_of_the_learning_rate_is_none_at_the_best():
    fixed = Paired(
        kind="paired",
        plus=of("mobilenetv1@lr3", "solu_s1"),
        minus=of("mobilenetv1@lr3", "none"),
        direction="greater",
        **COMMON,
    )
    best = fixed.model_copy(update={"plus": of("mobilenetv1", "solu_s1"), "minus": of("mobilenetv1", "none")})
    assert share(verdicts(fixed, suited, 20), CONTRADICTED) == 1
    assert definite(verdicts(best, lambda rng: best_variants(suited(rng)))) <= allowed()
    assert share(verdicts(best, lambda rng: best_variants(suited(rng, 0.03)), 50), CONTRADICTED) > 0.9


def test_the_choice_does_not_look_at_test_images():
    """Variants that differ by chance only: the best in validation is an ordinary one in the test."""

    def chosen(rng):
        runs = grid(NAMES, ["none"], ["25k"])
        for column in ACCURACIES:
            runs = noisy(runs, rng, 0.02, column)
        return best_variants(runs)

    found = [chosen(np.random.default_rng(seed))["test_accuracy"].mean() for seed in range(200)]
    assert np.mean(found) == pytest.approx(0.9, abs=3 * np.std(found) / np.sqrt(len(found)))


def test_a_variant_that_diverges_is_not_chosen():
    runs = suited(np.random.default_rng(0))
    broken = runs["architecture"].eq("mobilenetv1@lr3") & runs["probe"].eq("none")
    runs.loc[broken, "status"] = "diverged"
    runs.loc[broken, list(ACCURACIES)] = np.nan
    chosen = best_variants(runs)
    base = chosen[(chosen["architecture"] == "mobilenetv1") & (chosen["probe"] == "none")]
    assert len(base) == 5 and base["status"].eq("finished").all()


def test_runs_without_variants_are_not_taken():
    with pytest.raises(NotTested, match="no run is a variant"):
        best_variants(grid())


def test_variants_can_be_doses():
    doses = MappingProxyType({"p0": 0.0, "p1": 1.0, "p2": 2.0, "p3": 3.0, "p4": 4.0})
    test = Dose(
        kind="dose",
        plus={"architecture": ["mobilenetv2@{dose}", "mobilenetv3@{dose}"]},
        doses=dict(doses),
        moved="r_projection",
        direction="greater",
        **COMMON,
    )
    names = [f"{name}@{dose}" for name in ("mobilenetv2", "mobilenetv3") for dose in doses]
    runs = grid(names, budgets=["25k"])

    def make(slope, moved=0.05):
        def one(rng):
            dose = runs["architecture"].str.partition("@")[2].map(dict(doses))
            found = noisy(noisy(runs, rng), rng, 0.02, "r_projection")
            return found.assign(
                test_accuracy=found["test_accuracy"] + slope * dose, r_projection=found["r_projection"] + moved * dose
            )

        return one

    assert share(verdicts(test, make(0.01), 50), SUPPORTED) > 0.9
    assert definite(verdicts(test, make(0.0))) <= allowed()
    assert definite(verdicts(test, make(0.01, moved=0.0))) <= allowed()  # the dose did not do what it is for
