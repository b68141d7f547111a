import itertools

import pandas as pd
import pytest

from lowparam.params import Experiment
from lowparam.report import contents
from lowparam.report.star_gaps import star_activation, star_gap
from lowparam.star.published import TABLES, published

NAMES = ["demonet_star", "demonet_sum", "demonet_star_noact", "demonet_sum_noact"]


def table_of(names, budgets=("10k", "25k"), seeds=(0, 1, 2)):
    """Runs with accuracies that are easy to compute with: sum 0.5, star 0.6, half a tenth less without activations."""
    rows = []
    for name, budget, seed in itertools.product(names, budgets, seeds):
        accuracy = 0.5 + 0.1 * ("_sum" not in name) - 0.05 * ("noact" in name) + 0.01 * seed
        rows.append({"architecture": name, "activation": "base", "budget": budget, "seed": seed})
        rows[-1]["test_accuracy"] = accuracy
    return pd.DataFrame(rows)


def own(table, quantity="difference"):
    numbers = table.numbers
    chosen = numbers[(numbers["data"] == "toy") & (numbers["quantity"] == quantity)]
    return chosen.set_index("network")["mean"].to_dict()


def test_gap_is_star_minus_sum_in_points_paired_by_seed():
    table = star_gap(table_of(NAMES), {}, "toy")
    assert own(table) == {
        "DemoNet, 10k": pytest.approx(10),
        "DemoNet, 25k": pytest.approx(10),
        "DemoNet, no activation, 10k": pytest.approx(10),
        "DemoNet, no activation, 25k": pytest.approx(10),
    }
    assert own(table, "first")["DemoNet, 10k"] == pytest.approx(51)
    paired = table.numbers.query("data == 'toy' and quantity == 'difference'")
    assert paired["half_width"].max() < 1e-9 and (paired["n"] == 3).all()


def test_published_gaps_stand_above_ours():
    table = star_gap(table_of(NAMES), {}, "toy")
    assert [row[0] for row in table.rows] == ["ImageNet-1k"] * 7 + ["toy"] * 4
    gaps = [round(row[-1].estimate.mean, 1) for row in table.rows[:7]]
    assert gaps == [6.5, 5.5, 5.5, 5.5, 4.3, 3.9, 3.6]


def test_depths_stand_below_the_published_depths():
    names = [f"demonet_{operator}_d{depth}_w32" for operator in ("star", "sum") for depth in (6, 12)]
    table = star_gap(table_of(names, budgets=("published",)), {}, "toy")
    assert table.rows[0][1] == "DemoNet, depth 10"
    assert [row[1] for row in table.rows[7:]] == ["DemoNet, depth 6, width 32", "DemoNet, depth 12, width 32"]


def test_change_by_removing_activations_is_negative_where_it_costs():
    table = star_activation(table_of(NAMES), {}, "toy")
    assert own(table) == {
        f"DemoNet, {operator}, {budget}": pytest.approx(-5) for operator in ("star", "sum") for budget in ("10k", "25k")
    }
    changes = [round(row[-1].estimate.mean, 1) for row in table.rows[:2]]
    assert changes == [-33.8, -1.2]


def test_starnet_is_star_without_saying_so():
    table = star_gap(table_of(["starnet_s050", "starnet_sum_s050"], budgets=("published",)), {}, "toy")
    assert own(table) == {"StarNet, s050": pytest.approx(10)}


def test_diverged_runs_are_not_hidden():
    runs = table_of(NAMES[:2], budgets=("10k",))
    runs.loc[0, "test_accuracy"] = float("nan")
    table = star_gap(runs, {}, "toy")
    assert [part.plain() for part in table.rows[-1][2:]].count("–") == 2


def test_tables_are_made_only_of_pairs():
    def names(*architectures):
        experiment = Experiment(
            data="d", recipe="r", architectures=list(architectures), activations=["base"], budgets=["10k"], seeds=[0]
        )
        return set(contents.tables(experiment)) - {"accuracy", "interference"}

    assert names("mobilenetv1", "demonet_star") == set()
    assert names("demonet_star", "demonet_sum") == {"star_gap"}
    assert names("starnet", "starnet_sum", "mobilenetv2") == {"star_gap"}
    assert names("demonet_star", "demonet_star_noact") == {"star_activation"}
    assert names("demonet_star", "demonet_sum_noact") == set()


def test_published_tables_have_the_paper_s_numbers():
    assert set(TABLES) == {2, 3, 4, 7, 9, 15, 16, 17, 18}
    depth = published(3).set_index("depth")
    assert (depth["star"] - depth["sum"]).round(1).tolist() == [6.5, 5.5, 4.7, 4.1, 4.0, 5.8, 4.8]
    # Tables that print the same network agree.
    assert published(2).set_index("width")["star"].to_dict() == published(15).set_index("width")["with"].to_dict()
    assert depth["star"].to_dict() == published(16).set_index("depth")["with"].to_dict()
    assert published(7).set_index("stages")["accuracy"]["SSSS"] == published(9)["accuracy"].max() == 78.4
