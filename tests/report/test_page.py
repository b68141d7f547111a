"""The page of an experiment in a real browser: nothing is missing, nothing is closed for good, and it fits a phone."""

import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from lowparam.claims.registry import load_registry

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PHONE, DESK = 390, 1200


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        assert "LOWPARAM_NEEDS_BROWSER" not in os.environ, "CI must have chromium-headless-shell"
        pytest.skip("no Chromium is installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(params=[PHONE, DESK])
def page(request, browser, folder):
    """The page, opened as a file; it may load nothing else and may report no error."""
    opened = browser.new_page(viewport={"width": request.param, "height": 844})
    wrong, asked = [], []
    opened.on("console", lambda message: wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda asking: asked.append(asking.url))
    path = (folder / "report.html").as_uri()
    opened.goto(path)
    yield opened
    assert wrong == []
    assert [url for url in asked if not url.startswith(("data:", path))] == [], "the page must work offline"
    opened.close()


def overflow(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def test_every_row_opens_its_evidence(page):
    registry = load_registry()
    assert page.locator("details.claim").count() == len(registry.claims)
    fold = page.locator("#nottested")
    assert not fold.locator("details.claim").first.is_visible()
    fold.locator("> summary").click()
    for claim in registry.claims:
        row = page.locator(f"#{claim.id}")
        assert not row.locator(".body").is_visible()
        row.locator("> summary").click()
        assert row.locator(".body").is_visible()
        assert row.locator(".test").count() == len(claim.tests)
        text = row.inner_text()
        assert "snakemake" in text or claim.without_test in text
    assert overflow(page) <= 0


def test_it_begins_with_accuracy_and_folds_what_was_not_tested_into_one_line(page, folder):
    headings = page.eval_on_selector_all("h2", "all => all.map(one => one.innerText)")
    assert headings == ["Accuracy", "Verdicts", "Tables", "Figures", "Runs"]
    first = page.locator("#accuracy ~ section").first
    assert "Test accuracy in %" in first.inner_text() and first.is_visible()
    assert page.locator("#table-accuracy").count() == page.locator("#figure-accuracy").count() == 1
    judged = pd.read_csv(folder / "claims.csv")
    tested = set(judged.loc[judged["primary"].eq(True) & judged["verdict"].ne("not tested"), "claim"])
    rest = [claim.id for claim in load_registry().claims if claim.id not in tested]
    assert page.locator("#nottested > summary").inner_text() == f"Not tested on digits: {', '.join(rest)}"
    open_rows = page.locator("main > details.claim").evaluate_all("all => all.map(one => one.id)")
    assert set(open_rows) == tested


def test_runs_at_chance_are_counted_next_to_diverged_ones(page):
    assert "1 diverged, 0 untrained" in page.locator("header").inner_text()
    page.locator("#C2 > summary").click()
    assert "60 runs, 0 diverged, 0 untrained" in page.locator("#C2-total").inner_text()


def test_evidence_has_numbers_runs_command_and_figure(page):
    row = page.locator("#C2")
    row.locator("> summary").click()
    text = row.locator("#C2-total").inner_text()
    for part in (
        "estimate",
        "95 % interval",
        "p after Holm",
        "5 seeds",
        "60 runs, 0 diverged",
        "lowparam claims digits",
    ):
        assert part in text, part
    assert row.locator("#C2-total svg.interval line").count() >= 3
    assert row.locator("figure svg use").count() >= 1
    row.locator("#C2-total details > summary").click()
    assert row.locator("#C2-total details a").count() == 3 * 4


def test_links_lead_somewhere_and_open_closed_rows(page):
    for target in page.eval_on_selector_all("a", "links => links.map(link => link.getAttribute('href'))"):
        assert target.startswith("#") and page.locator(f"[id='{target[1:]}']").count() == 1, target
    page.evaluate("location.hash = '#C3-learned'")
    page.wait_for_function("document.getElementById('C3').open")
    assert page.locator("#C3-learned").is_visible()


def test_figures_are_drawn(page):
    shown = page.locator("#figures ~ section figure svg")
    assert shown.count() >= 10
    for place in range(shown.count()):
        box = shown.nth(place).bounding_box()
        assert box["width"] > 100 and box["height"] > 50


def test_nothing_is_wider_than_the_window_when_all_is_open(page):
    page.evaluate("document.querySelectorAll('details').forEach(row => row.open = true)")
    assert overflow(page) <= 0
    sizes = page.eval_on_selector_all("p, dd, td", "all => all.map(one => parseFloat(getComputedStyle(one).fontSize))")
    assert min(sizes) >= 12, "text must be readable on a phone"


def test_it_is_one_small_file(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert len(text) < 2_000_000
    assert not re.search(r"(?:src|href)=[\"'](?!data:|#)", text)


def test_verdicts_are_those_of_the_claims(folder):
    judged = pd.read_csv(folder / "claims.csv")
    text = (folder / "report.html").read_text(encoding="utf-8")
    for row in judged[judged["primary"].eq(True)].itertuples():
        summary = re.search(rf'id="{row.claim}">\s*<summary>(.*?)</summary>', text, re.DOTALL)[1]
        assert re.search(r'class="badge \w+">([\w ]+)<', summary)[1] == row.verdict


def test_the_same_results_give_the_same_page(folder, monkeypatch):
    from lowparam.params import load
    from lowparam.report.pages.html_page import write_page

    before = (folder / "report.html").read_bytes()
    monkeypatch.chdir(folder.parents[1])
    write_page(load(), "digits")
    assert Path("results/digits/report.html").read_bytes() == before
