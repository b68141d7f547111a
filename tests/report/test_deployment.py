"""What a device needs: the table and figure of an experiment that measures it, against runs of known numbers."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lowparam import catalogue
from lowparam.claims.availability import planned
from lowparam.claims.finding import NotTested
from lowparam.claims.registry import load_registry
from lowparam.collect import _eight_bits
from lowparam.params import load
from lowparam.report.context import Context
from lowparam.report.figures import deployment as figure
from lowparam.report.figures import eight_bits
from lowparam.report.tables import deployment as table
from synthetic import experiment_grid

PARAMS = """
data: {digits: {source: digits, split: {train: 0.6, validation: 0.15, test: 0.25}}}
recipes: {digits: {epochs: 1, batch_size: 64, lr: 0.004}}
replicate: [mine]
experiments:
  mine:
    {data: digits, recipe: digits, probes: [none, solu_s1], budgets: [10k, 400k], seeds: [0, 1], deploy: true,
     architectures: [mobilenetv1, mobilenetv2, nodepth_a]}
  other: {data: digits, recipe: digits, probes: [none], budgets: [10k], seeds: [0], architectures: [mobilenetv1]}
"""


def measurement(run) -> dict:
    """V2 needs half of V1's memory and loses a point more with 8 bits; NoDepth has no ONNX form."""
    size, half = run.scale.budget, 2 if run.scale.architecture == "mobilenetv2" else 1
    memory = {
        "parameters": size,
        "macs": 100 * size,
        "weight_bytes": 4 * size,
        "weight_bytes_int8": size,
        **{
            f"{kind}_bytes{bits}": 100_000 * (4 if not bits else 1) // half
            for kind in ("arena", "peak_activation")
            for bits in ("", "_int8")
        },
    }
    if run.scale.architecture == "nodepth_a":
        return {**memory, "runtimes": {}, "not_exported": "the operator aten.odd is missing"}
    accuracy = 0.9 + 0.01 * run.seed
    runtimes = {
        "torch": {"accuracy": accuracy, "median_ms": 1.0, "p95_ms": 2.0},
        "onnx": {"accuracy": accuracy, "median_ms": 0.5, "p95_ms": 0.6, "bytes": 4 * size},
        "onnx-int8": {"accuracy": accuracy - 0.01 * half, "median_ms": 0.4 / half, "p95_ms": 0.5, "bytes": size},
    }
    return {**memory, "runtimes": runtimes}


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    params = load()
    for run in params.runs("mine"):
        run.deployment.parent.mkdir(parents=True, exist_ok=True)
        run.deployment.write_text(json.dumps(measurement(run)), encoding="utf-8")
    experiment_grid(params, "mine").to_csv(tmp_path / "results/mine/runs.csv", index=False)
    return Context(params, "mine")


def test_only_an_experiment_that_asks_for_it_has_the_table_and_the_figure(context):
    subjects = context.params.experiments
    for names in (catalogue.tables, catalogue.figures):
        assert "deployment" in names(subjects["mine"])
        assert "deployment" not in names(subjects["other"])


def test_the_table_has_costs_losses_fronts_and_what_fits(context):
    numbers = table.make(context).numbers.set_index(["architecture", "budget"])
    assert len(numbers) == 6, "networks with a probe are left out"
    v1, v2 = numbers.loc[("mobilenetv1", "10k")], numbers.loc[("mobilenetv2", "10k")]
    assert (v1["int8_loss"], v2["int8_loss"]) == (pytest.approx(0.01), pytest.approx(0.02))
    assert v2["accuracy"] == pytest.approx(0.905) and v2["latency"] == 0.5
    assert (v1["fits"], v2["fits"]) == ("8 bits", "8 bits"), "400 kB and 200 kB of activations with 32 bits"
    assert np.isnan(numbers.loc[("mobilenetv1", "400k"), "fits"] or np.nan), "400 kB of flash"
    assert set(v2["front"]) == {"L", "R"}, "less memory and time, at a loss"
    assert set(v1["front"]) == {"L", "F", "R"}
    assert numbers.loc[("nodepth_a", "10k"), "front"] == ""


def test_a_network_that_was_not_exported_has_its_memory_and_no_accuracy(context):
    made = table.make(context)
    row = made.numbers.set_index(["architecture", "budget"]).loc[("nodepth_a", "10k")]
    assert np.isnan(row["int8_accuracy"]) and row["arena_bytes_int8"] == 100_000
    made.caption, made.name = "Caption.", "deployment"
    assert "–" in made.markdown() and "tabular" in made.latex("mine")


def test_the_figure_draws_what_was_exported(context):
    made = figure.make(context)
    assert [ax.get_xlabel() for ax in made.axes] == ["flash (bytes)", "RAM (bytes)", "latency (ms)"]


def test_runs_have_a_column_for_what_eight_bits_cost(context):
    runs = context.params.runs("mine")
    assert _eight_bits(json.loads(runs[0].deployment.read_text())) == {
        "int8_accuracy": pytest.approx(0.89),
        "int8_loss": pytest.approx(0.01),
    }
    assert _eight_bits({"runtimes": {}}) == {"int8_accuracy": None, "int8_loss": None}


def test_whether_interference_predicts_the_loss_is_asked_where_it_is_measured(context):
    subjects = context.params.experiments
    grown = subjects["mine"].model_copy(
        update={"architectures": ["mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenext", "convnext"]}
    )
    claims = {claim for claim, _ in planned(grown)}
    assert "C26" in claims
    assert "C26" not in {claim for claim, _ in planned(grown.model_copy(update={"deploy": False}))}
    assert "eight_bits" in catalogue.figures(grown, "verdicts")


def test_a_loss_that_rises_with_interference_supports_the_prediction(context):
    runs = experiment_grid(context.params, "mine")
    runs = runs[runs["probe"] == "none"]
    names = ["mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenext", "convnext", "nodepth_a"]
    rows = [
        row | {"architecture": name, "r_projection": 0.5 + 0.1 * place, "int8_loss": 0.05 - 0.005 * place}
        for place, name in enumerate(names)
        for row in runs[runs["architecture"] == "mobilenetv1"].to_dict("records")
    ]
    test = load_registry().tests()["C26", "rank"]
    found = test.find(pd.DataFrame(rows))
    assert found.estimate == pytest.approx(-1) and found.p < 0.05 and found.favours
    with pytest.raises(NotTested):
        test.find(pd.DataFrame(rows).drop(columns="int8_loss"))
    made = eight_bits.make(SimpleNamespace(runs=pd.DataFrame(rows)))
    assert [ax.get_title() for ax in made.axes] == ["budget 10k", "budget 400k"]
