from pathlib import Path

import pandas as pd
import pytest

from lowparam import catalogue
from lowparam.params import load
from lowparam.registry import constants
from lowparam.report.tables import dimension as dimension_table
from lowparam.report.tables import growth as growth_table
from lowparam.report.tables import moons as moons_table
from lowparam.report.write import write_figures, write_tables
from lowparam.studies.star import dimension, moons
from lowparam.studies.star.settings import Settings

PARAMS = load(Path(__file__).parents[2] / "params.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results of a small run."""
    place = tmp_path_factory.mktemp("star")
    folder = place / "results/star"
    settings = Settings(
        dimensions=4, growth_limit=50, placements=["++++", "SSSS"], seeds=[0, 1], grid_step=0.5, fresh_points=100
    )
    dimension.write(settings, folder)
    moons.write(settings, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        write_tables(PARAMS, "star")
        write_figures(PARAMS, "star")
    return folder


def test_everything_that_the_workflow_expects_is_written(folder):
    expected = {f"tables/{name}.{end}" for name in catalogue.tables("star") for end in catalogue.TABLE_SUFFIXES}
    expected |= {f"figures/{name}.{end}" for name in catalogue.figures("star") for end in catalogue.FIGURE_SUFFIXES}
    assert {str(p.relative_to(folder)) for p in folder.glob("*/*")} == expected


def test_figures_are_the_same_each_time(folder, monkeypatch):
    monkeypatch.chdir(folder.parents[1])
    before = {path.name: path.read_bytes() for path in folder.glob("figures/*")}
    write_figures(PARAMS, "star")
    assert before == {path.name: path.read_bytes() for path in folder.glob("figures/*")}


def test_latex_has_no_sign_that_needs_another_package(folder):
    for path in folder.glob("tables/*.tex"):
        assert set(path.read_text()) <= {chr(code) for code in range(32, 127)} | {"\n", "–"}, path.name


def caption(table):
    return constants(catalogue.TABLES, "dimension")["CAPTION"].format(**table.details)


def test_rank_below_its_bound_is_marked_and_the_caption_claims_nothing(folder):
    counted = pd.read_csv(folder / "dimension.csv")
    assert "The two are equal at every d up to 4" in caption(dimension_table.compare(counted))
    wrong = counted.copy()
    row = wrong.query("operator == 'star' and bias and channels == 3").index
    wrong.loc[row, "rank"] -= 1
    wrong.loc[row, "proved"] = False
    table = dimension_table.compare(wrong)
    assert "equal" not in caption(table)
    assert table.rows[2][1] == "9†" and table.notes


def test_stacks_that_were_not_counted_show_their_bound(folder):
    table = growth_table.compare(pd.read_csv(folder / "growth.csv"))
    rows = {row[0]: row for row in table.rows}
    assert rows["2"][5] == "45"
    assert rows["3"][5] == "≤ 165"
    assert rows["3"][-1] == "10"


def test_moons_table_states_the_means_in_percent(folder):
    results = pd.read_csv(folder / "moons.csv")
    table = moons_table.summarise(results)
    numbers = table.numbers.set_index(["net", "activation", "quantity"])["mean"]
    for (net, activation), runs in results.groupby(["net", "activation"]):
        assert numbers[(net, activation, "fresh")] == pytest.approx(100 * runs["fresh"].mean())
    assert [row[2] for row in table.rows][:2] == ["about 85", "about 95"]
