"""Variants of a recipe are the doses of a test."""

from types import MappingProxyType

from lowparam.claims.finding import SUPPORTED
from lowparam.claims.kinds.dose import Dose
from synthetic import allowed, definite, grid, noisy, share, verdicts

COMMON = {"id": "it", "about": "what it is about", "outcome": "test_accuracy", "experiment": "incoherence"}


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
