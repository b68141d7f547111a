"""The table of penalties says what each dose moves, and which doses move nothing."""

import pandas as pd
import pytest

from lowparam import catalogue
from lowparam.params import load
from lowparam.report.context import Context
from lowparam.report.tables import penalties

MOVED = {"s0": 0.0, "s0.01": 0.0, "s0.1": 0.3}
"""Change of r by each variant of ``srip``."""
NOISE = (-0.02, 0.01, 0.0, 0.02, -0.01)


def runs() -> pd.DataFrame:
    """Runs of two budgets: the highest dose of MobileNetV2 raises r by 0.2 and 0.4, nothing else changes."""
    rows = [
        {
            "architecture": f"{block}@{variant}",
            "probe": "none",
            "budget": budget,
            "seed": seed,
            "status": "finished",
            "r_projection": 0.5 + seed / 10 + (NOISE[seed] if variant != "s0" else 0) + sign * 0.1 + moved,
            "test_accuracy": 0.9 + (NOISE[-seed] / 10 if variant != "s0" else 0),
        }
        for block in ("mobilenetv1", "mobilenetv2", "mobilenetv3")
        for variant in MOVED
        for budget, sign in (("10k", -1), ("25k", 1))
        for seed in range(5)
        for moved in [(MOVED[variant] + 0.1 * sign * (variant == "s0.1")) * (block == "mobilenetv2")]
    ]
    return pd.DataFrame(rows)


def test_changes_are_means_over_budgets_and_seeds_of_pairs():
    found = penalties.changes(runs(), load().experiment("srip"))
    by = found.set_index(["architecture", "dose", "quantity"])
    row = by.loc["mobilenetv2", "srip 0.1", "r_projection"]
    assert row["mean"] == pytest.approx(0.3)
    assert row["half_width"] == pytest.approx(2.776445 * 0.0158114 / 5**0.5, rel=1e-4)
    assert (row["n"], row["unit"]) == (5, "r")
    assert row["p_holm"] == pytest.approx(6 * row["p"])
    assert by.loc["mobilenetv1", "srip 0.01", "r_projection"]["mean"] == pytest.approx(0)
    assert by.loc["mobilenetv3", "srip 0.1", "test_accuracy"]["unit"] == "points"
    assert set(found["quantity"]) == {"r_projection", "test_accuracy"}  # what was not measured has no row


def test_a_dose_that_moves_nothing_is_named():
    context = Context(load(), "srip")
    context.__dict__["runs"] = runs()
    table = penalties.make(context)
    (note,) = table.notes
    assert note.startswith("The seeds cannot tell any change in: MobileNetV1 with srip 0.01")
    assert "MobileNetV2 with srip 0.1" not in note
    assert len(table.rows) == 6


def test_a_network_of_which_a_run_is_untrained_is_marked():
    context = Context(load(), "srip")
    made = runs()
    made.loc[made["architecture"] == "mobilenetv3@s0.1", "status"] = "untrained"
    context.__dict__["runs"] = made
    marks = [row[-2].mark for row in penalties.make(context).rows]
    assert marks == ["", "", "", "", "", "‡"]


def test_experiments_with_penalties_and_without_have_the_table():
    has = {name: "penalties" in catalogue.tables(load().experiment(name)) for name in ("incoherence", "srip", "digits")}
    assert has == {"incoherence": True, "srip": True, "digits": False}
