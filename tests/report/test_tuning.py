"""The table and the figure of tuning, from trials with known accuracies."""

import pandas as pd
import pytest

from lowparam.report.figures import tuning as figure
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
        "added": False,
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
        trial(0.09, None, status="diverged", added=True),
        trial(0.09, 0.1, seed=101, status="untrained", added=True),
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
        "* added, because the best value was at the end of the list.",
        "MobileNetV1, own activation: the choice was checked at 50k; a neighbour is better there.",
    ]
    assert made.details == {"seeds": "2 seeds"}


def test_a_choice_at_the_end_of_its_list_is_marked():
    trials = TRIALS.assign(at_edge=["largest" if chosen else "" for chosen in TRIALS["chosen"]])
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
