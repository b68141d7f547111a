"""Where a seed diverged, no form of a result prints the mean of the others."""

import json
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lowparam.claims.finding import Finding
from lowparam.collect import summarise
from lowparam.files import write_csv
from lowparam.params import Params
from lowparam.report.context import Context, Profiles
from lowparam.report.estimates import mean_by_scale
from lowparam.report.figures import crossing, dose_response, interference_accuracy, profile, scaling, tuning
from lowparam.report.tables import interference as interference_table

RUNS = pd.DataFrame(
    {
        "architecture": ["mobilenetv1"] * 6,
        "probe": "none",
        "budget": ["10k"] * 3 + ["25k"] * 3,
        "seed": [0, 1, 2] * 2,
        "status": ["finished"] * 5 + ["diverged"],
        **{column: [1e4] * 3 + [2.5e4] * 3 for column in ("parameters_total", "parameters_body", "macs")},
        "test_accuracy": [0.8, 0.9, 1.0, 0.5, 0.6, np.nan],
        "r_projection": [0.8, 0.9, 1.0, 0.5, 0.6, 0.7],
    }
)
VALUES = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]])
"""Three sizes or doses of two seeds, one of which diverged at the second."""


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def drawn(figure, place=0) -> list[float]:
    """The means of a series with whiskers in the first panel."""
    return np.asarray(figure.axes[0].containers[place].lines[0].get_ydata(), dtype=float).tolist()


def context(runs=RUNS):
    made = Context(Params.model_construct(), "some")
    made.__dict__["runs"] = runs
    return made


def test_the_summary_for_dvc_and_the_tables_have_no_mean_of_survivors():
    summary = json.loads(json.dumps(summarise(RUNS)))
    accuracy = {"mobilenetv1-none": {"10k": 0.9, "25k": None}}
    assert summary == {"runs": 6, "diverged": 1, "untrained": 0, "test_accuracy": accuracy}
    assert mean_by_scale(RUNS, "test_accuracy")["mean"].isna().tolist() == [False, True]


def test_a_diverged_run_counts_in_no_measure_though_its_weights_are_finite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "results/some/runs.csv", RUNS)
    assert Context(Params.model_construct(), "some").runs["r_projection"].isna().tolist() == [False] * 5 + [True]
    monkeypatch.setattr(interference_table, "schedule", lambda context: "")
    table = interference_table.make(Context(Params.model_construct(), "some"))
    assert [cell.plain() for cell in table.rows[0][2:]] == ["0.90 ± 0.25", "–"]


def test_the_summary_counts_untrained_runs_and_keeps_their_numbers():
    runs = RUNS.assign(status=["untrained", *RUNS["status"][1:]])
    summary = summarise(runs)
    assert (summary["untrained"], summary["diverged"]) == (1, 1)
    assert summary["test_accuracy"]["mobilenetv1-none"]["10k"] == 0.9


def test_the_figure_of_scaling_has_no_point_of_survivors():
    assert np.isnan(drawn(scaling.make(context()))).tolist() == [False, True]


def test_the_figure_of_interference_and_accuracy_has_no_point_of_survivors():
    figure = interference_accuracy.make(context())
    assert [ax.get_title() for ax in figure.axes] == ["budget 10k"]
    assert drawn(figure) == pytest.approx([90])


@pytest.fixture
def judged(monkeypatch):
    """A function that lets a figure show one test, with what its finding keeps."""

    def show(figure, **data):
        test = SimpleNamespace(doses={"a": 1.0, "b": 2.0, "c": 3.0}, moved=None, minus=None, outcome="test_accuracy")
        test.size = "parameters_total"
        finding = Finding(1.5e4, 1.2e4, 1.9e4, 0.01, 0.99, "parameters", 2, data=data)
        monkeypatch.setattr(figure, "findings_in", lambda *_: [("C1 some", test, finding)])
        return figure.make(context())

    return show


def test_the_figure_of_doses_has_no_point_of_survivors(judged):
    figure = judged(dose_response, doses=np.array([1.0, 2.0, 3.0]), responses=VALUES)
    assert drawn(figure) == pytest.approx([1.5, np.nan, 5.5], nan_ok=True)


def test_the_line_through_two_curves_leaves_out_where_a_seed_diverged(judged):
    sizes = np.array([1e4, 2e4, 4e4])
    figure = judged(crossing, sizes=sizes, lead=VALUES)
    assert drawn(figure) == pytest.approx([1.5, np.nan, 5.5], nan_ok=True)
    lines = [np.asarray(line.get_ydata(), dtype=float) for line in figure.axes[0].lines]
    assert any(line.shape == (3,) and np.allclose(line, [1.5, 3.5, 5.5]) for line in lines)


@pytest.fixture
def profiled():
    sites = [f"stages.0.{block}.stream" for block in range(2)]
    return pd.DataFrame(
        [
            {"measure": measure, "kind": "stream", "site": site, "value": 0.5, "null": 1.0, "untrained": 0.9}
            for measure in ("chi", "chi_floor", "capacity_used", "floor_tight", "dimensionality")
            for site in sites
        ]
    ).assign(lower=0.4, upper=0.6)


def test_a_profile_has_no_line_of_survivors(profiled):
    broken = profiled.assign(value=np.nan)
    chi = profile.draw(Profiles({"own activation": [profiled, broken]}, {}, [])).axes[1]
    lines = {line.get_label(): np.asarray(line.get_ydata(), dtype=float) for line in chi.lines}
    assert "trained" not in lines or np.isnan(lines["trained"]).all()
    assert lines["untrained"] == pytest.approx([0.9, 0.9])


def test_null_and_limit_of_a_profile_are_those_of_a_seed_that_has_the_measure(profiled):
    lacks = profiled[profiled["measure"] != "chi_floor"]
    lacks = lacks.assign(
        null=lacks["null"].mask(lacks["measure"] == "chi"), value=lacks["value"].mask(lacks["measure"] == "chi")
    )
    chi = profile.draw(Profiles({"own activation": [lacks, profiled]}, {}, [])).axes[1]
    lines = {line.get_label(): np.asarray(line.get_ydata(), dtype=float) for line in chi.lines}
    assert lines["null"] == pytest.approx([1.0, 1.0])
    assert lines[profile.FORCED] == pytest.approx([0.5, 0.5])


def test_tuning_has_no_mean_of_the_seeds_that_did_not_diverge():
    trials = pd.DataFrame(
        {
            "architecture": "mobilenetv1",
            "probe": "none",
            "lr": [0.01, 0.01, 0.03, 0.03],
            "status": ["finished"] * 3 + ["diverged"],
            "validation_accuracy": [0.8, 0.9, 0.95, None],
            "chosen": [True, True, False, False],
            "check": "",
        }
    )
    assert list(tuning.draw(trials, ["lr"]).axes[0].lines[0].get_ydata()) == pytest.approx([85, np.nan], nan_ok=True)
