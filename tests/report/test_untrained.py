"""Tables of accuracy mark the scales that have an untrained run, and say what the sign means."""

import pytest

from lowparam.params import Params
from lowparam.report.context import Context
from lowparam.report.estimates import untrained_scales
from lowparam.report.formats import Cell
from lowparam.report.tables import accuracy, elements, published, solu_gap, star_gap
from lowparam.report.tables._star_variants import variants_table
from synthetic import grid

NOTE = "‡ a run is untrained: it learned hardly more than which class is the largest."


def untrained(runs, **where):
    """Make the first seed of the scales that `where` names untrained."""
    chosen = runs["seed"].eq(0)
    for column, value in where.items():
        chosen &= runs[column].eq(value)
    return runs.assign(status=runs["status"].mask(chosen, "untrained"))


@pytest.fixture
def context(monkeypatch):
    def of(runs):
        made = Context(Params.model_construct(), "some")
        made.__dict__["runs"] = runs
        made.__dict__["baseline"] = {
            "model": "logistic regression",
            "parameters": 650,
            "test": {"accuracy": 0.5, "images": 450},
        }
        return made

    for table in (accuracy, published, solu_gap):
        monkeypatch.setattr(table, "schedule", lambda context: "Some epochs.")
    return of


def marked(table):
    return [[isinstance(part, Cell) and "‡" in part.mark for part in row] for row in table.rows]


def test_accuracies_are_marked(context):
    runs = grid(["mobilenetv1", "convnext"], budgets=["10k", "25k"], seeds=3)
    table = accuracy.make(context(untrained(runs, architecture="convnext", budget="25k")))
    assert marked(table) == [[False] * 4, [False, False, False, True], [False] * 4]
    assert NOTE in table.notes and "‡" in table.markdown() and r"$^\ddagger$" in table.latex("some")
    assert NOTE not in accuracy.make(context(runs)).notes


def test_a_network_that_is_at_chance_and_below_the_baseline_has_both_signs(context):
    runs = untrained(grid(["convnext"], budgets=["10k"], seeds=3).assign(test_accuracy=0.1), architecture="convnext")
    assert accuracy.make(context(runs)).rows[0][2].mark == "†‡"


@pytest.mark.parametrize("probe", ["none", "solu_s1"])
def test_a_gap_is_marked_for_an_untrained_run_on_either_side(context, probe):
    runs = grid(["mobilenetv1", "convnext"], ["none", "solu_s1"], ["10k"], 3)
    table = solu_gap.make(context(untrained(runs, architecture="convnext", probe=probe)))
    assert [row[-1] for row in marked(table)] == [False, True] and NOTE in table.notes


def test_star_networks_are_marked():
    runs = untrained(grid(["demonet_star", "demonet_sum"], budgets=["10k"], seeds=3), architecture="demonet_star")
    table = star_gap.compare(runs, "some")
    assert marked(table)[-1] == [False, False, False, True, True] and NOTE in table.notes
    runs = untrained(grid(["starnet", "starnet_noact"], budgets=["25k"], seeds=3), architecture="starnet_noact")
    table = variants_table(9, runs, "some")
    assert [row[-1] for row in marked(table)].count(True) == 1 and NOTE in table.notes


def test_an_element_is_marked_for_an_untrained_run_of_it_or_of_its_block(context, monkeypatch):
    monkeypatch.setattr(elements, "_times_of_block", lambda context, found: dict.fromkeys(elements.named(found), 1.0))
    names = ["mobilenetv1", "mobilenetv1+se", "mobilenetv1+ibn"]
    runs = grid(names, budgets=["25k"], seeds=3)
    for untrained_one, expected in (("mobilenetv1+se", 1), ("mobilenetv1", 2)):
        table = elements.make(context(untrained(runs, architecture=untrained_one)))
        assert [any(row) for row in marked(table)].count(True) == expected and NOTE in table.notes


def test_elements_are_named_after_their_slots(context, monkeypatch):
    monkeypatch.setattr(elements, "_times_of_block", lambda context, found: dict.fromkeys(elements.named(found), 12.0))
    runs = grid(["mobilenetv1", "mobilenetv1+se", "mobilenetv1+se+ibn"], budgets=["25k"], seeds=3)
    table = elements.make(context(runs))
    assert {row[1] for row in table.rows} == {"gate: squeeze-and-excitation", "gate: squeeze-and-excitation, norm: IBN"}
    times = table.numbers[table.numbers["quantity"] == "training_time"]
    assert set(times["part"]) == {"se", "se+ibn"} and set(times["mean"]) == {12.0}
    assert table.notes == ["mobilenetv1+se, mobilenetv1+se+ibn: training takes 10 times that of the block, or more."]


def test_runs_without_status_have_no_untrained_scale():
    assert untrained_scales(grid(["convnext"]).drop(columns="status")) == set()
