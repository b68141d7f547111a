"""The table and the figure of readings, from simulated runs."""

from itertools import pairwise

import numpy as np
import pytest

from lowparam.params import load
from lowparam.report.context import Context
from lowparam.report.figures import readings as figure
from lowparam.report.readings import Readings
from lowparam.report.style import in_style
from lowparam.report.tables import readings as table
from synthetic import add, experiment_grid, noisy

PARAMS = """
data: {digits: {source: digits, split: {train: 0.6, validation: 0.15, test: 0.25}}}
recipes: {digits: {epochs: 1, batch_size: 64, lr: 0.004}}
replicate: [solu]
experiments:
  solu:
    {data: digits, recipe: digits,
     architectures: [mobilenetv1, mobilenetv2, mobilenetv3, mobilenext, convnext, nodepth_a, nodepth_c],
     probes: [none, solu_s1, solu_s2, scale_s1], budgets: [10k, 25k, 50k], seeds: [0, 1, 2, 3, 4]}
"""


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    place = tmp_path_factory.mktemp("readings")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        (place / "params.yaml").write_text(PARAMS, encoding="utf-8")
        params = load()
        rng = np.random.default_rng(0)
        runs = noisy(noisy(experiment_grid(params, "solu"), rng), rng, 0.01, "r_projection")
        runs = noisy(runs, rng, 0.01, "chi_stages")
        runs = add(runs, -0.04, probe=["solu_s1"], architecture=["mobilenetv1", "mobilenetv2", "mobilenetv3"])
        runs = add(runs, 0.2, "r_projection", probe=["solu_s1", "scale_s1"])
        runs = add(runs, -0.2, "chi_stages", probe=["solu_s1"])
        lost = runs["architecture"].eq("convnext") & runs["probe"].eq("solu_s2") & runs["seed"].eq(0)
        runs.loc[lost, "test_accuracy"] = np.nan
        (place / "results/solu").mkdir(parents=True)
        runs.to_csv(place / "results/solu/runs.csv", index=False)
        found = Context(params, "solu")
        assert len(found.runs), "read while the folder is the current one"
    return found


def test_the_table_has_a_row_for_each_reading_with_what_it_supports(context):
    made = table.make(context)
    rows = {row[0]: dict(zip(made.header, row, strict=True)) for row in made.rows}
    assert list(rows) == [
        "SoLU (S1)",
        "SoLU (S2)",
        "its shrinking alone (S1)",
        "NoDepth (reading A)",
        "NoDepth (reading C)",
    ]
    assert rows["SoLU (S1)"]["supported"] == "C4, C5"
    assert rows["SoLU (S1)"]["V1, V2, V3"].estimate.mean == pytest.approx(-4, abs=0.5)
    assert all(rows["SoLU (S1)"][name].best and not rows["SoLU (S2)"][name].best for name in ("r", "chi"))
    assert rows["NoDepth (reading C)"]["C7"].plain() not in ("", "–")
    assert "all supported: none" in made.notes[0] and made.notes[0].endswith("judged under solu_s1.")


def test_only_the_experiment_that_the_protocol_names_chooses_a_reading(context, monkeypatch):
    monkeypatch.setattr("lowparam.report.readings.CHOSEN_ON", "another")
    said = Readings(context).conclusion()
    assert said.endswith("is decided on the experiment another alone.") and "judged under" not in said


def test_no_mean_is_printed_over_the_seeds_that_are_left(context):
    made = table.make(context)
    row = next(dict(zip(made.header, row, strict=True)) for row in made.rows if row[0] == "SoLU (S2)")
    assert row["ConvNeXt"].plain() == "–" != row["MobileNeXt"].plain()


def test_the_figure_has_a_panel_for_each_test(context):
    with in_style():
        drawn = figure.make(context)
        titles = [ax.get_xlabel() for ax in drawn.axes]
        drawn.canvas.draw()
    assert titles == [*figure.SOLU.values(), *figure.NODEPTH.values()]
    for section in (drawn.axes[:4], drawn.axes[4:]):
        boxes = [ax.get_position() for ax in section]
        assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))
    assert min(ax.get_window_extent().width for ax in drawn.axes) / drawn.dpi >= 1
