"""The table and the figure of tuning, from trials with known accuracies."""

from itertools import combinations

import pandas as pd
import pytest

from lowparam.params import Scale
from lowparam.report import context
from lowparam.report.figures import tuning as figure
from lowparam.report.style import in_style
from lowparam.report.tables import tuning as table


def trial(lr, accuracy, *, seed=100, status="finished", budget="10k", **more):
    return {
        "architecture": "mobilenetv1",
        "probe": "none",
        "budget": budget,
        "lr": lr,
        "seed": seed,
        "status": status,
        "train_accuracy": accuracy,
        "validation_accuracy": accuracy,
        "added": "",
        "chosen": False,
        "at_edge": "",
        "check": "",
        **more,
    }


TRIALS = pd.DataFrame(
    [
        trial(0.01, 0.90),
        trial(0.01, 0.92, seed=101),
        trial(0.03, 0.94, chosen=True),
        trial(0.03, 0.96, seed=101, chosen=True),
        trial(0.09, None, status="diverged", added="lr"),
        trial(0.09, 0.1, seed=101, status="untrained", added="lr"),
        trial(0.03, 0.91, budget="50k", check="fails", chosen=True),
        trial(0.01, 0.93, budget="50k", check="fails"),
    ]
)


def test_the_table_has_every_value_with_what_became_of_it():
    made = table.summarise(TRIALS, ["lr"], 2)
    numbers = made.numbers
    assert list(numbers["lr"]) == [0.01, 0.03, 0.09, 0.01, 0.03]
    assert list(numbers["mean"][:2]) == pytest.approx([91, 95]) and list(numbers["n"]) == [2, 2, 2, 1, 1]
    assert [cell.best for *_, cell in made.rows] == [False, True, False, False, True]
    assert made.rows[2][-3:-1] == ["0.09*", "1 diverged, 1 untrained"]
    assert made.notes == [
        "* added, because the best value was at the end of the list, or none trained.",
        "MobileNetV1, own activation: the choice was checked at 50k; a neighbour is better there.",
    ]
    assert made.details == {"seeds": "2 seeds"}


def test_a_choice_at_the_end_of_its_list_is_marked():
    trials = TRIALS.assign(at_edge=["lr" if chosen else "" for chosen in TRIALS["chosen"]])
    made = table.summarise(trials, ["lr"], 2)
    assert made.rows[1][3] == "0.03†" and made.rows[4][3] == "0.03", "only where it was chosen"
    assert any(note.startswith("†") for note in made.notes)


def test_the_figure_has_a_line_for_each_architecture_and_marks_what_failed():
    trials = pd.concat([TRIALS, TRIALS.assign(architecture="convnext", lr=TRIALS["lr"] * 2)])
    drawn = figure.draw(trials, ["lr"])
    (ax,) = drawn.axes
    lines = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert list(lines) == ["MobileNetV1", "ConvNeXt"]
    assert list(lines["MobileNetV1"].get_xdata()) == [0.01, 0.03, 0.09], "trainings at the largest budget are left out"
    assert lines["MobileNetV1"].get_ydata()[:2] == pytest.approx([91, 95])
    assert sum(line.get_marker() == "x" for line in ax.lines) == 2


def test_what_is_no_number_is_drawn_in_its_order():
    trials = TRIALS.assign(optimizer=TRIALS["lr"].map({0.01: "sgd", 0.03: "adamw", 0.09: "lamb"}))
    ax = figure.draw(trials, ["optimizer"]).axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["sgd", "adamw", "lamb"]


def two_keys():
    """Trials of two keys, the second of which has a value that is no number; 0.03 with 1.0 was chosen."""
    accuracies = {(0.01, "none"): 0.5, (0.01, 1.0): 0.8, (0.03, "none"): 0.7, (0.03, 1.0): 0.9, (0.09, 1.0): 0.85}
    return pd.DataFrame(
        trial(lr, accuracy, clip_norm=clip, chosen=(lr, clip) == (0.03, 1.0), added="lr" if lr == 0.09 else "")
        for (lr, clip), accuracy in accuracies.items()
    )


def test_of_several_keys_the_one_that_was_extended_is_marked():
    made = table.summarise(two_keys(), ["lr", "clip_norm"], 1)
    assert [row[3:5] for row in made.rows] == [
        ["0.01", "none"],
        ["0.01", "1"],
        ["0.03", "none"],
        ["0.03", "1"],
        ["0.09*", "1"],
    ]


def test_a_line_shows_a_key_at_the_best_of_the_others():
    rates, clips = figure.draw(two_keys(), ["lr", "clip_norm"]).axes
    assert list(rates.lines[0].get_ydata()) == pytest.approx([80, 90, 85])
    assert list(clips.lines[0].get_ydata()) == pytest.approx([70, 90])


def test_a_value_that_always_diverged_does_not_flatten_the_lines():
    trials = pd.DataFrame([trial(0.01, 0.9, chosen=True), trial(0.03, 0.95), trial(1e6, None, status="diverged")])
    drawn = figure.draw(trials, ["lr"])
    drawn.canvas.draw()
    (ax,) = drawn.axes
    assert ax.get_ylim()[0] > 80 and sum(line.get_marker() == "x" for line in ax.lines) == 1


def test_panels_share_the_ticks_of_all_values():
    first = TRIALS.assign(optimizer=TRIALS["lr"].map({0.01: "sgd", 0.03: "adamw", 0.09: "lamb"}))
    second = first[first["lr"] == 0.03].assign(probe="solu_s1")
    for ax in figure.draw(pd.concat([first, second]), ["optimizer"]).axes:
        assert [label.get_text() for label in ax.get_xticklabels()] == ["sgd", "adamw", "lamb"]
    assert list(ax.lines[0].get_xdata()) == [1]


def test_titles_of_four_probes_do_not_overlap():
    probes = ["none", "solu_s1", "solu_s1_ln", "scale_s1"]
    names = ["mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenext", "convnext", "nodepth_a"]
    with in_style():
        drawn = figure.draw(pd.concat(TRIALS.assign(probe=p, architecture=a) for p in probes for a in names), ["lr"])
        drawn.canvas.draw()
        boxes = [ax.title.get_window_extent() for ax in drawn.axes]
        legend = drawn.legends[0].get_window_extent()
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert legend.x0 >= 0 and legend.x1 <= drawn.bbox.x1


def test_whole_numbers_are_drawn_where_they_are():
    ax = figure.draw(TRIALS.assign(lr=TRIALS["lr"].map({0.01: 16, 0.03: 32, 0.09: 64})), ["lr"]).axes[0]
    assert list(ax.lines[0].get_xdata()) == [16, 32, 64]


@pytest.mark.parametrize(
    ("values", "shown"),
    [([None, 1.0], ["none", 1.0]), ([[0.9, 0.99], [0.9, 0.999]], ["0.9, 0.99", "0.9, 0.999"]), ([True], ["true"])],
)
def test_values_that_are_no_numbers_are_rows_of_the_table(monkeypatch, values, shown):
    found = {"added": {}, "at_edge": {}, "check": None, "chosen": {"key": values[0]}}
    found["trials"] = [
        {"values": {"key": value}, "budget": "10k", "seed": 100, "status": "finished"}
        | {"train_accuracy": 0.9, "validation_accuracy": 0.9}
        for value in values
    ]
    monkeypatch.setattr(context, "read_json", lambda path: found)
    trials = pd.DataFrame(context._trials(Scale("digits", "mobilenetv1", "none", 10_000)))
    assert list(trials["key"]) == shown
    assert len(table.summarise(trials, ["key"], 1).rows) == len(values)
    figure.draw(trials, ["key"])
