"""The table of calibration tells measures that see superposition from those that do not."""

import numpy as np
import pandas as pd
import pytest

from lowparam import catalogue
from lowparam.params import load
from lowparam.report.context import Context
from lowparam.report.known_doses import dosed_runs
from lowparam.report.tables.calibration import calibrate

NUMBERS = (6, 12, 24, 48, 96)


def runs() -> pd.DataFrame:
    """Runs in which chi_last follows true cross-talk up to 24 features, r falls with it, and one is noise."""
    random = np.random.default_rng(0)
    rows = [
        {
            "architecture": f"{block}@n{n}_p{presence}",
            "block": block,
            "probe": "none",
            "budget": "12k",
            "seed": seed,
            "status": "finished",
            "features": n,
            "presence": presence,
            "true_chi_last": np.log2(n) + 10 * presence,
            "true_dimensionality_last": -np.log2(n),
            "chi_last": np.log2(min(n, 24)) - (n > 24) * 0.2 * np.log2(n) + 10 * presence,
            "r_projection": -np.log2(n) - 10 * presence,
            "class_selectivity": random.normal(),
        }
        for block in ("mobilenetv1", "mobilenetv2", "convnext")
        for presence in (0.05, 0.2)
        for n in NUMBERS
        for seed in range(3)
    ]
    return pd.DataFrame(rows)


def test_measures_that_follow_the_truth_are_told_from_those_that_do_not():
    found = calibrate(runs()).set_index("measure")
    assert {"true_chi_last", "true_dimensionality_last"}.isdisjoint(found.index)
    assert found.loc["r_projection", "rho_chi"] == pytest.approx(-1)
    assert found.loc["r_projection", "slope"] == pytest.approx(-1)
    assert found.loc["r_projection", "reading"] == "sees it"
    assert np.isnan(found.loc["r_projection", "breaks_at"])
    assert found.loc["r_projection", ["same_sign", "units"]].tolist() == [3, 3]
    assert found.loc["chi_last", "breaks_at"] == 24
    assert abs(found.loc["class_selectivity", "rho_chi"]) < 0.5
    assert found.loc["class_selectivity", "reading"] == "does not see it"


def test_doses_of_runs_are_those_of_their_variants():
    context = Context(load(), "factors_short")
    made = runs().query("block != 'convnext' and presence == 0.05 and features in (6, 24, 96)")
    context.__dict__["runs"] = made.drop(columns=["block", "features", "presence"])
    found = dosed_runs(context)
    pd.testing.assert_frame_equal(found[["block", "features", "presence"]], made[["block", "features", "presence"]])


def test_three_doses_are_too_few_to_calibrate_measures():
    has = {
        name: "calibration" in [*catalogue.tables(load().experiment(name)), *catalogue.figures(load().experiment(name))]
        for name in ("factors", "factors_short", "factors_solu")
    }
    assert has == {"factors": True, "factors_short": False, "factors_solu": False}
