"""One page over all experiments: a verdict stays with the experiment that it was made on."""

import re
from pathlib import Path

import pandas as pd
import pytest

from lowparam.claims.registry import load_registry
from lowparam.errors import LowparamError
from lowparam.params import load
from lowparam.report.verdicts.overview import overview_page, overview_table, read_verdicts, write_overview

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(folder, tmp_path, monkeypatch):
    """Two experiments on one data set, with opposite verdicts on C2."""
    monkeypatch.chdir(tmp_path)
    params = (folder.parents[1] / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(
        params + "\n" + params.partition("experiments:\n")[2].replace("digits:", "longer:", 1)
    )
    judged = pd.read_csv(folder / "claims.csv")
    for name, word in (("digits", "supported"), ("longer", "contradicted")):
        one = judged.assign(experiment=name)
        one.loc[(one["claim"] == "C2") & one["primary"].eq(True), "verdict"] = word
        (tmp_path / "results" / name).mkdir(parents=True)
        one.to_csv(tmp_path / "results" / name / "claims.csv", index=False)
    return tmp_path


def test_a_verdict_names_its_experiment_and_the_data(place):
    write_overview(load())
    page = Path("results/claims.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| [C2]")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:] == ["[digits](digits/claims.md#c2)", "[longer (digits)](longer/claims.md#c2)", "", ""]


def test_every_test_of_every_claim_has_a_row(place):
    registry = load_registry()
    page = overview_page(read_verdicts(load()), registry)
    for claim in registry.claims:
        section = re.search(rf"## {claim.id}\n(.*?)(?=\n## |\Z)", page, re.DOTALL)[1]
        assert section.count("(`") == len(claim.tests)
    assert "not tested: `snakemake dose`" in page


def test_no_verdict_is_one_on_imagenet(place):
    """ImageNet is in claims of the papers, but no verdict is given on it without runs on it."""
    table = overview_table(read_verdicts(load()), load_registry())
    assert not any("ImageNet" in cell for row in table.rows for cell in row[2:])


def test_without_verdicts_one_line_says_what_to_run(tmp_path, folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((folder.parents[1] / "params.yaml").read_text(encoding="utf-8"))
    with pytest.raises(LowparamError, match="run: lowparam run"):
        write_overview(load())


def test_the_committed_page_is_that_of_the_committed_verdicts(monkeypatch):
    page = ROOT / "results/claims.md"
    if not page.exists():
        pytest.skip("no results in this clone")
    monkeypatch.chdir(ROOT)
    assert page.read_text(encoding="utf-8") == overview_page(read_verdicts(load()), load_registry())
