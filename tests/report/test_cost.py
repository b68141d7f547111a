"""The table of costs, from simulated runs and a measurement of Snakemake."""

import pytest

from lowparam.params import load
from lowparam.report.context import Context
from lowparam.report.tables import cost as table
from synthetic import add, experiment_grid

PARAMS = """
data: {digits: {source: digits, split: {train: 0.6, validation: 0.15, test: 0.25}}}
recipes: {digits: {epochs: 1, batch_size: 64, lr: 0.004}}
replicate: [mine]
experiments:
  mine:
    {data: digits, recipe: digits, architectures: [mobilenetv1, mobilenetv2], probes: [none, solu_s1], budgets: [10k],
     seeds: [0, 1]}
"""


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    params = load()
    measured = tmp_path / "results/mine/benchmarks/train/mobilenetv2-none-10k.tsv"
    measured.parent.mkdir(parents=True)
    measured.write_text("s\th:m:s\tmax_rss\tcpu_time\n9.0\t0:00:09\t300\t7.0\n", encoding="utf-8")
    runs = add(experiment_grid(params, "mine"), 0.05, architecture=["mobilenetv2"], seed=[1])
    runs.to_csv(tmp_path / "results/mine/runs.csv", index=False)
    return Context(params, "mine")


def test_it_has_a_row_for_each_network_without_probe(context):
    made = table.make(context)
    assert [row[0] for row in made.rows] == ["MobileNetV1", "MobileNetV2"]
    rows = [[cell.plain() for cell in row[2:]] for row in made.rows]
    assert [row[:3] for row in rows] == [["10000", "1.00", "100.0"]] * 2


def test_a_job_is_shared_by_its_seeds_and_one_that_was_not_measured_here_is_a_dash(context):
    made = table.make(context)
    assert [row[-2].plain() for row in made.rows] == ["–", "3.5"]


def test_accuracy_has_its_interval(context):
    made = table.make(context)
    assert made.rows[1][-1].plain() == "92.5 ± 31.8"  # t = 12.706, standard error 2.5 points
