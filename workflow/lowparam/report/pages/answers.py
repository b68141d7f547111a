"""Write verdicts and numbers into pages that people wrote, between the markers that a page has for them.

``<!-- answer C2 C2.body: written by `lowparam docs` -->`` gets the primary test of C2 and its test ``body``, on every
experiment that has the runs, and the figure of C2. ``<!-- tests known_features: … -->`` gets the tests of that
name of all claims, ``<!-- table calibration of factors: … -->`` and ``<!-- figure … of …: … -->`` what an experiment
or study wrote, and ``<!-- first result: … -->`` one figure and one sentence. So no result on these pages is typed, and
the pages change only where results do.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lowparam import catalogue, page_tables, paths, studies
from lowparam.claims.registry import Claim, Registry, load_registry
from lowparam.claims.statistics import Estimate, mean_interval
from lowparam.claims.subjects import Subject, judged_subjects
from lowparam.errors import LowparamError
from lowparam.files import read_csv, read_json, read_text, write_text
from lowparam.params import Params
from lowparam.registry import get
from lowparam.report.context import Context
from lowparam.report.estimates import mean_by_scale
from lowparam.report.formats import enumerate_words, format_spread
from lowparam.report.labels import architecture_label
from lowparam.report.verdicts.view import VERDICTS, TestVerdict, current, view

__all__ = [
    "ANSWER",
    "PAGES",
    "Judgement",
    "answers",
    "blocks",
    "caption_of",
    "figure_of",
    "judgements",
    "stated_verdicts",
    "write_answers",
]

PAGES = (
    Path("README.md"),
    Path("docs/results.md"),
    Path("docs/science/factors.md"),
    Path("docs/science/interference.md"),
    Path("docs/science/star.md"),
)
ANSWER, TESTS, FIRST = "answer", "tests", "first result"
WRITTEN = re.compile(r"(table|figure) (\w+) of (\w+)")
MARKER = re.compile(
    rf"<!-- ((?:{ANSWER}|{TESTS}) [^:]+|{WRITTEN.pattern}|{FIRST}): written by `{page_tables.COMMAND}` -->"
)
LONG = 300  # characters
HEADLINE = "C2"  # the claim of the sentence of the first result
NOTHING = "There are no verdicts yet: `make replicate` computes them."


@dataclass(frozen=True)
class Judgement:
    """A test on one experiment or study."""

    claim: Claim
    test: TestVerdict
    subject: Subject

    @property
    def is_tested(self) -> bool:
        """Whether the experiment has runs for the test."""
        return self.test.is_tested


def write_answers(params: Params) -> None:
    """Fill in the blocks of every page of `PAGES` that exists in the current folder."""
    for page in PAGES:
        if page.exists():
            write_text(page, answers(params, page))


def answers(params: Params, page: Path) -> str:
    """Return a page with its blocks filled in.

    Parameters
    ----------
    params : Params
        All settings; results are read from ``results/`` in the current folder.
    page : Path
        Relative to the current folder, so that its links lead to ``results/``.

    Raises
    ------
    LowparamError
        If a marker names a claim or test that workflow/claims does not have.
    """
    text = read_text(page, missing="")
    registry = load_registry()
    judged = judgements(params, registry)
    results = Path(os.path.relpath(paths.RESULTS, page.parent)).as_posix()
    return page_tables.fill(text, {name: _block(params, registry, judged, name, results) for name in blocks(text)})


def blocks(text: str) -> list[str]:
    """Return the names of the blocks of a page, in order."""
    return [found[1] for found in MARKER.finditer(text)]


def judgements(params: Params, registry: Registry) -> list[Judgement]:
    """Return every test on every experiment and study that has verdicts, in the order of params.yaml."""
    return [
        Judgement(claim.claim, test, subject)
        for subject in judged_subjects(params)
        for claim in view(current(read_csv(paths.claims(subject.name)), registry), registry)
        for test in claim.tests
    ]


def _block(params: Params, registry: Registry, judged: list[Judgement], name: str, results: str) -> str:
    """Return what goes between the markers of a name."""
    if name == FIRST:
        return _first(params, judged, results)
    if written := WRITTEN.fullmatch(name):
        kind, output, experiment = written.groups()
        return _written(params, kind, output, experiment, results)
    if name.startswith(f"{TESTS} "):
        return _tests(registry, judged, name.removeprefix(f"{TESTS} "), results)
    return _answer(params, registry, judged, name, results)


def _answer(params: Params, registry: Registry, judged: list[Judgement], name: str, results: str) -> str:
    """Return what claims state, how their tests came out, and the figure of the first that has one."""
    claims = {claim.id: claim for claim in registry.claims}
    chosen: dict[str, list[str]] = {}
    for word in name.removeprefix(f"{ANSWER} ").split():
        claim, _, test = word.partition(".")
        tests = {test.id: test for test in get(claim, claims, f"claim in <!-- {name} -->").tests}
        primary = [test.id for test in tests.values() if test.primary]
        chosen.setdefault(claim, []).extend([get(test, tests, f"test of {claim}").id] if test else primary)
    parts, rows, figures = [], [], []
    for claim, tests in chosen.items():
        found = [one for one in judged if one.claim.id == claim and one.test.test.id in tests and one.is_tested]
        parts.append(_stated(registry, claims[claim], found, results))
        rows += [_row(one, results) for one in sorted(found, key=lambda one: tests.index(one.test.test.id))]
        figures.append(_figure(params, found, results))
    table = [_table(rows, results)] if rows else []
    return "\n\n".join(["\n".join(parts), *table, *[figure for figure in figures if figure][:1]])


def _tests(registry: Registry, judged: list[Judgement], name: str, results: str) -> str:
    """Return a row for each test of a name, of all claims, on each experiment that has the runs."""
    get(name, {test.id: test for claim in registry.claims for test in claim.tests}, "test")
    rows = [_row(one, results) for one in judged if one.test.test.id == name and one.is_tested]
    return _table(rows, results) if rows else f"The tests `{name}` have no runs yet."


def _table(rows: list[dict[str, str]], results: str) -> str:
    """Return rows as a table, with what the mark † means if one has it."""
    table = page_tables.markdown(rows)
    if not any(row["verdict"].endswith("†") for row in rows):
        return table
    protocol = (Path(results).parent / "docs/science/protocol.md").as_posix()
    return (
        f"{table}\n\n† Arms were trained at different learning rates, which alone moves the measure "
        f"([protocol]({protocol}#what-is-not-equal))."
    )


def _stated(registry: Registry, claim: Claim, found: list[Judgement], results: str) -> str:
    """Return the claim with its source, and the verdicts of its primary test in a sentence."""
    short = re.sub(r"^(\w+).*? (\d{4}).*", r"\1 et al. \2", registry.papers[registry.paper_of(claim)].reference)
    primary = next(test for test in claim.tests if test.primary)
    outcome = (
        stated_verdicts([one for one in found if one.test.test.primary])
        or f"not tested, which `lowparam run {primary.experiment}` would change"
    )
    values = [f"{one.test.paper} {one.test.unit} on {one.test.test.paper_where}" for one in found if one.test.paper]
    value = f"  The paper's value: {values[0]}.\n" if values else ""
    return (
        f"- **[{claim.id}]({results}/claims.md#{claim.id.lower()})**, {short}: {claim.statement}\n"
        f"  Predicted: {claim.prediction}\n{value}  **Verdict on the prediction: {outcome}.**"
    )


def stated_verdicts(found: list[Judgement]) -> str:
    """Return where tests came out how, such as ``supported on digits; inconclusive on solu (digits)``."""
    by_word = {
        word: [f"{one.subject.place}{one.test.marked.removeprefix(word)}" for one in found if one.test.verdict == word]
        for word in VERDICTS
    }
    return "; ".join(f"{word} on {', '.join(places)}" for word, places in by_word.items() if places)


def _row(one: Judgement, results: str) -> dict[str, str]:
    test = one.test
    page = f"{results}/{one.subject.name}/claims.md#{one.claim.id.lower()}"
    shown = f" ({test.shown})" if test.shown else ""
    estimate = f"{test.estimate} {test.unit}{shown}".strip()
    return {
        "claim": one.claim.id,
        "test": test.test.id,
        "on": f"[{one.subject.place}]({page})",
        "verdict": test.marked,
        "estimate": estimate,
        "95 % interval": test.interval if one.subject.experiment else f"{test.interval} (range)",  # exact, no sample
        "n": test.n if test.counts_seeds else f"{test.n} {test.replicates}",
    }


def _figure(params: Params, found: list[Judgement], results: str) -> str:
    """Return the figure of the primary test on the experiment with the most training images, or nothing."""
    one = figure_of([one for one in found if one.test.test.primary])
    return _picture_with_caption(params, one.subject.name, one.test.test.shown_in, results) if one else ""


def figure_of(found: list[Judgement]) -> Judgement | None:
    """Return the judgement on the experiment with the most training images among those whose figure git has.

    Among equals, it is the experiment that the test was written for.
    """

    def weight(one: Judgement) -> tuple[int, bool]:
        return _training_images(one.subject.name), one.subject.name == one.test.test.experiment

    return max((one for one in found if _picture(one).exists()), key=weight, default=None)


def _picture(one: Judgement) -> Path:
    return paths.shown(one.subject.name) / f"{one.test.test.shown_in}.png"


def _picture_with_caption(params: Params, name: str, figure: str, results: str, sentences: int | None = None) -> str:
    """Return a figure of an experiment with the first sentences of its caption, all by default."""
    path = Path(results) / paths.shown(name).relative_to(paths.RESULTS) / f"{figure}.png"
    caption = _sentences(caption_of(params, name, figure), sentences)
    return f"![{figure.replace('_', ' ')} on {name}]({path.as_posix()})\n\n*{caption}*"


def caption_of(params: Params, name: str, figure: str) -> str:
    """Return the caption of a figure of an experiment or study; its name if it is none of them."""
    context = Context(params, name)
    drawn = catalogue.every_output(catalogue.FIGURES, context.subject)
    return next((context.caption(output) for output in drawn if output.name == figure), figure)


def _written(params: Params, kind: str, output: str, name: str, results: str) -> str:
    """Return a table or figure that an experiment or study wrote, a sentence a line, or how to have it."""
    get(name, dict.fromkeys([*params.experiments, *studies.names()]), "experiment or study")
    if kind == "figure" and (paths.shown(name) / f"{output}.png").exists():
        return _picture_with_caption(params, name, output, results)
    table = paths.tables(name) / f"{output}.md"
    if kind == "table" and table.exists():
        return "\n".join(
            line if line.startswith("|") else _sentences(line)
            for line in read_text(table, missing="").strip().splitlines()
        )
    return f"The {kind} `{output}` of `lowparam run {name}` is not recorded yet."


def _sentences(text: str, count: int | None = None) -> str:
    """Return the first sentences of a text, all by default, a line each; a long one is also broken at semicolons."""
    sentences = re.split(r"(?<=\.) (?=[A-Z])", text)[:count]
    return "\n".join(each if len(each) <= LONG else each.replace("; ", ";\n") for each in sentences)


def _training_images(name: str) -> int:
    try:
        return read_json(paths.baseline(name))["training_images"]
    except LowparamError:  # a study trains on none
        return 0


def _first(params: Params, judged: list[Judgement], results: str) -> str:
    """Return the figure of accuracy of the experiment with the most weight, and its result in a sentence.

    Experiments weigh more if they are tuned, and then by their number of training images; those whose runs are of
    another grid than that of params.yaml count last.
    """
    names = dict.fromkeys(one.subject.name for one in judged if one.subject.experiment)
    shown = [name for name in names if (paths.shown(name) / "accuracy.png").exists()]
    if not shown:
        return NOTHING
    name = max(shown, key=lambda name: _weight(params, name))
    picture = _picture_with_caption(params, name, "accuracy", results, sentences=1)
    return f"{picture}\n\n{_sentence(params, name, judged, results)}"


def _weight(params: Params, name: str) -> tuple[bool, bool, int]:
    experiment = params.experiment(name)
    grid = ["architecture", "probe", "budget", "seed"]
    runs = read_csv(paths.runs_table(name))
    expected = {
        (run.scale.label, run.scale.probe, run.scale.name.rpartition("-")[2], run.seed) for run in params.runs(name)
    }
    of_grid = set(runs[grid].itertuples(index=False, name=None)) == expected
    return of_grid, experiment.tune is not None, _training_images(name)


def _not_below(runs: pd.DataFrame, best: str, budget: str) -> list[str]:
    """Return the architectures whose difference to the best one, paired by seed, has an interval that reaches zero."""
    accuracies = runs[runs["budget"].eq(budget)].pivot(index="seed", columns="architecture", values="test_accuracy")
    others = accuracies.columns.drop(best)
    return [name for name in others if not mean_interval(accuracies[best] - accuracies[name]).low > 0]


def _sentence(params: Params, name: str, judged: list[Judgement], results: str) -> str:
    runs = Context(params, name).runs.query("probe == 'none'")
    means = mean_by_scale(runs, "test_accuracy").dropna(subset=["mean"])
    largest = means[means["budget"] == means["budget"].iloc[-1]]
    best = largest.loc[largest["mean"].idxmax()]
    reached = format_spread(Estimate(100 * best["mean"], 100 * best["half_width"], best["n"]), 1)
    place = next(one.subject.place for one in judged if one.subject.name == name)
    equals = [architecture_label(each) for each in _not_below(runs, best["architecture"], best["budget"])]
    first = (
        f"On {place}, {architecture_label(best['architecture'])} has the highest mean of {len(largest)} networks "
        f"with {best['budget']} parameters ({reached} %, {best['n']} seeds)"
        f"{f', not told apart from {enumerate_words(equals)}' if equals else ''}"
    )
    claim = next(
        (one for one in judged if one.subject.name == name and one.claim.id == HEADLINE and one.test.test.primary), None
    )
    if claim is None or not claim.is_tested:
        return f"**{first}.**"
    test = claim.test
    shown = f" ({test.shown})" if test.shown else ""
    return (
        f"**{first},\nand the claim that {claim.claim.statement.removesuffix('.')} "
        f"([{HEADLINE}]({results}/{name}/claims.md#{HEADLINE.lower()})) is {test.verdict} there: "
        f"{test.estimate} {test.unit}{shown}, {test.interval}.**"
    )
