"""One page over all experiments: a verdict stays with the experiment that it was made on."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from lowparam.claims.registry import load_registry
from lowparam.claims.subjects import subject
from lowparam.errors import LowparamError
from lowparam.params import load
from lowparam.report.verdicts.chosen_reading import read_readings, section
from lowparam.report.verdicts.overview import (
    WORDS,
    overview_figure,
    overview_page,
    overview_table,
    read_verdicts,
    summary,
    write_overview,
)

ROOT = Path(__file__).parents[2]


def page_of(params) -> str:
    return overview_page(read_verdicts(params), load_registry(), read_readings(params))


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


def test_the_page_begins_with_a_sentence_a_claim_that_names_the_data(place):
    page = page_of(load())
    opening = page.partition("\n| claim")[0]
    assert "- [C2](#c2): mixed: **supported** on digits, **contradicted** on digits." in opening
    assert "- [C14](#c14): **not tested** on any data." in opening
    assert {claim.id for claim in load_registry().claims if not claim.without_test} == set(
        re.findall(r"^- \[(C\d+)\]", opening, re.MULTILINE)
    )


def test_experiments_on_one_data_set_are_counted_together():
    places = ["digits", "dose (digits)", "cifar10"]
    rows = pd.DataFrame({"claim": "C1", "primary": True, "verdict": "supported", "place": places})
    assert summary(rows, "C1") == "**supported** on digits (2 experiments) and cifar10."
    rows["verdict"] = ["supported", "not comparable", "inconclusive"]
    assert summary(rows, "C1") == "**supported** on digits, **inconclusive** on cifar10, **not comparable** on digits."


def test_parts_of_a_data_set_are_named_as_the_literature_names_it():
    places = [subject(load(ROOT / "params.yaml"), name).place for name in ("cifar10_25k", "cifar10_star", "solu")]
    assert places == ["cifar10_25k (CIFAR-10 (JPEG))", "cifar10_star (CIFAR-10 (JPEG))", "solu (digits)"]
    rows = pd.DataFrame({"claim": "C1", "primary": True, "verdict": "supported", "place": places})
    assert summary(rows, "C1") == "**supported** on CIFAR-10 (JPEG) (2 experiments) and digits."


def test_the_figure_has_a_mark_for_every_verdict(place):
    verdicts = read_verdicts(load())
    given = verdicts[verdicts["primary"].eq(True) & verdicts["verdict"].isin(WORDS)]
    figure = overview_figure(verdicts, load_registry())
    assert sum(len(marks.get_offsets()) for marks in figure.axes[0].collections) == len(given) > 0
    plt.close(figure)
    write_overview(load())
    assert Path("results/claims.png").stat().st_size > 1000


def test_every_test_of_every_claim_has_a_row(place):
    registry = load_registry()
    page = page_of(load())
    for claim in registry.claims:
        section = re.search(rf"## {claim.id}\n(.*?)(?=\n## |\Z)", page, re.DOTALL)[1]
        assert section.count("(`") == len(claim.tests)
    assert "not tested: `snakemake dose`" in page


def reading(experiment: str, data: str, **verdicts: str) -> list[dict[str, str]]:
    """The rows of one experiment, such as ``solu_s2="supported"``: all three claims have that verdict."""
    return [
        {"experiment": experiment, "place": f"{experiment} ({data})", "data": data}
        | {"reading": name, "claim": claim, "test": "primary", "verdict": word}
        for name, word in verdicts.items()
        for claim in ("C4", "C5", "C8")
    ]


def test_the_reading_chosen_on_digits_is_shown_on_other_data_alone():
    """On the photographs another reading would win; what they say must not choose."""
    rows = reading("solu", "digits", solu_s1="contradicted", solu_s2="supported")
    rows += reading("again", "digits", solu_s2="supported")
    rows += reading("photographs", "cifar10", solu_s1="supported", solu_s2="contradicted")
    text = section(pd.DataFrame(rows))
    assert "Chosen: SoLU (S2) (`solu_s2`)." in text
    shown = [line for line in text.splitlines() if line.startswith("| [")]
    assert [line.split("](")[0] for line in shown] == ["| [photographs (cifar10)"]
    assert shown[0].count("contradicted") == 3 and "supported" not in shown[0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (reading("photographs", "cifar10", solu_s1="supported"), "No reading is chosen yet: `lowparam run solu`"),
        (reading("solu", "digits", solu_s1="supported"), "No other data have runs with it yet."),
    ],
)
def test_what_is_missing_for_a_chosen_reading_is_said(rows, said):
    assert said in section(pd.DataFrame(rows))


def test_an_experiment_with_the_headline_reading_alone_has_it_from_its_verdicts(place):
    found = read_readings(load())
    verdicts = read_verdicts(load()).set_index(["experiment", "claim", "test"])["verdict"]
    assert set(found["reading"]) == {"solu_s1"} and set(found["claim"]) == {"C4", "C5", "C8"}
    c4 = found[found["claim"] == "C4"].set_index("experiment")["verdict"]
    assert c4["digits"] == verdicts["digits", "C4", "crosstalk"]


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
    assert page.read_text(encoding="utf-8") == page_of(load())
