"""No number in README, docs/results.md and the paper was typed: each is in runs.csv or claims.csv."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lowparam.claims.registry import load_registry
from lowparam.claims.subjects import judged_subjects
from lowparam.errors import LowparamError
from lowparam.params import load
from lowparam.report.formats import enumerate_words
from lowparam.report.labels import architecture_label
from lowparam.report.pages.answers import PAGES, answers, blocks
from lowparam.report.pages.paper import _macros
from lowparam.report.verdicts.macros import command_name

ROOT = Path(__file__).parents[2]
NAMED = {"1.5 M", "2 %", "3.11"}  # numbers of the design and of versions, which are no results
HINT = "the page is not of these results; run lowparam docs"


@pytest.fixture
def here(monkeypatch):
    monkeypatch.chdir(ROOT)
    if not list(Path("results").glob("*/claims.csv")):
        pytest.skip("no results in this clone")


def inside(page: Path) -> str:
    """Return what is between the markers of a page."""
    return "\n".join(re.findall(r"<!-- .*?: written by .*? -->\n(.*?)<!-- end of", page.read_text(), flags=re.S))


def agrees(printed: str, value: float) -> bool:
    """Whether a number was rounded to what is printed, by arithmetic of this test."""
    digits = len(printed.partition(".")[2])
    return abs(float(printed.replace("−", "-")) - value) <= 0.5001 * 10**-digits


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_committed_page_is_that_of_the_committed_results(page, here):
    assert blocks(page.read_text(encoding="utf-8"))
    assert page.read_text(encoding="utf-8") == answers(load(), page), HINT


@pytest.mark.parametrize("page", PAGES[:2], ids=str)  # the others define measures and settings, which are numbers
def test_numbers_outside_of_the_markers_are_no_results(page, here):
    text = re.sub(r"<!-- .*? -->\n.*?<!-- end of .*? -->", "", page.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", text, flags=re.S)
    found = re.findall(r"\d+\.\d+(?: M)?|\d+ ?%|\d+ (?:points|seeds)", text)
    assert set(found) <= NAMED


def test_effects_and_intervals_of_the_answers_are_those_of_the_verdicts(here):
    row = r"^\| (C\d+) \| (\w+) \| \[.*?\]\(.*?results/(\w+)/.*?\) \| ([a-z ]+) \| (\S+) [^|]*\| ([^|]+) \|"
    rows = re.findall(row, inside(Path("docs/results.md")), flags=re.M)
    assert rows
    for claim, test, experiment, verdict, estimate, interval in rows:
        judged = pd.read_csv(f"results/{experiment}/claims.csv").set_index(["claim", "test"]).loc[(claim, test)]
        assert judged["verdict"] == verdict
        low, _, high = interval.partition(" to ")
        for printed, value in ((estimate, judged["estimate"]), (low, judged["low"]), (high, judged["high"])):
            if re.fullmatch(r"−?\d+(\.\d+)?", printed) and abs(value) < 1000:
                assert agrees(printed, value), (experiment, claim, test)


def test_the_sentence_of_the_first_page_is_that_of_the_runs(here):
    text = inside(Path("README.md"))
    experiment = re.search(r"results/(\w+)/shown", text)[1]
    budget, mean, half, seeds = re.search(r"with (\S+) parameters \((\S+) ± (\S+) %, (\d+) seeds\)", text).groups()
    runs = pd.read_csv(f"results/{experiment}/runs.csv")
    runs = runs[(runs["probe"] == "none") & (runs["budget"] == budget)]
    best = runs.groupby("architecture")["test_accuracy"].agg(["mean", "std", "size"]).sort_values("mean").iloc[-1]
    assert agrees(mean, 100 * best["mean"]) and int(seeds) == best["size"]
    assert agrees(half, 100 * best["std"] / np.sqrt(best["size"]) * stats.t.ppf(0.975, best["size"] - 1))
    accuracies = runs.pivot(index="seed", columns="architecture", values="test_accuracy")
    test = stats.ttest_rel(accuracies[[best.name]].to_numpy(), accuracies.drop(columns=best.name).to_numpy())
    equals = accuracies.columns.drop(best.name)[test.confidence_interval(0.95).low <= 0]
    told = re.search(r"not told apart from ([^,]*(?:, [^,]*)*?),\nand", text)
    assert (told[1] if told else "") == enumerate_words(map(architecture_label, equals))


def test_numbers_of_the_paper_are_those_of_the_verdicts_and_runs(here):
    params, registry = load(), load_registry()
    for subject in judged_subjects(params):
        written = dict(re.findall(r"\\newcommand\{\\(\w+)\}\{(.*)\}", _macros(params, subject.name, registry)))
        judged = pd.read_csv(f"results/{subject.name}/claims.csv").dropna(subset=["estimate"])
        checked = 0
        for row in judged.itertuples():
            for quantity in ("estimate", "low", "high"):
                printed = written.get(command_name([subject.name, row.claim, row.test, quantity]), "").replace(
                    "$-$", "-"
                )
                value = getattr(row, quantity)
                if re.fullmatch(r"-?\d+(\.\d+)?", printed) and abs(value) < 1000:
                    assert agrees(printed, value), (subject.name, row.claim, row.test, quantity)
                    checked += 1
        assert checked or judged.empty
        if subject.experiment is None:
            continue
        runs = pd.read_csv(f"results/{subject.name}/runs.csv")
        for name, group in runs.groupby(["architecture", "probe", "budget"]):
            printed = written.get(command_name([subject.name, "accuracy", *name]))
            if printed is not None and group["test_accuracy"].notna().all():
                assert agrees(printed, 100 * group["test_accuracy"].mean()), name


def test_other_results_give_other_numbers_by_one_command(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parents[1])
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n<!-- answer C2: written by `lowparam docs` -->\n<!-- end of answer C2 -->\n\nText.\n")
    first = answers(load(), page)
    judged = pd.read_csv(folder / "claims.csv").set_index(["claim", "test"])
    assert "| C2 | total | [digits](" in first and first.endswith("\n\nText.\n")
    assert f"{judged.loc[('C2', 'total'), 'estimate']:.2f} points" in first
    page.write_text(first)
    assert answers(load(), page) == first, "the page is not stable"


def test_a_page_has_the_tests_of_a_name_and_what_an_experiment_wrote(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parents[1])
    page = tmp_path / "page.md"
    names = ["tests total", "table accuracy of digits", "figure accuracy of digits", "table nothing of digits"]
    page.write_text("\n".join(f"<!-- {name}: written by `lowparam docs` -->\n<!-- end of {name} -->" for name in names))
    text = answers(load(), page)
    table = (folder / "tables/accuracy.md").read_text()
    assert all(line in text for line in table.splitlines() if line.startswith("|"))
    assert re.findall(r"^\| C\d+ \| (\w+) \|", text, flags=re.M) == ["total"]
    assert "results/digits/shown/accuracy.png)" in text
    assert "The table `nothing` of `lowparam run digits` is not recorded yet." in text


@pytest.mark.parametrize("marker", ["tests totl", "table accuracy of digit"])
def test_a_marker_of_an_unknown_test_or_experiment_gets_one_line(marker, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parents[1])
    page = tmp_path / "page.md"
    page.write_text(f"<!-- {marker}: written by `lowparam docs` -->\n<!-- end of {marker} -->\n")
    with pytest.raises(LowparamError, match=r"unknown (test|experiment) .*'?(total|digits)"):
        answers(load(), page)


@pytest.mark.parametrize(
    ("marker", "hint"), [("C99", "unknown claim in .* 'C99'"), ("C2.totl", "did you mean 'total'")]
)
def test_a_marker_of_an_unknown_claim_gets_one_line(marker, hint, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parents[1])
    page = tmp_path / "page.md"
    page.write_text(f"<!-- answer {marker}: written by `lowparam docs` -->\n<!-- end of answer {marker} -->\n")
    with pytest.raises(LowparamError, match=hint) as error:
        answers(load(), page)
    assert "\n" not in str(error.value)
