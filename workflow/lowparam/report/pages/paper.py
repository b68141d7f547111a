"""Compile the report as a PDF: the text is in paper/paper.tex, all numbers come from the results."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import jinja2
import pandas as pd

from lowparam import __version__, catalogue, paths
from lowparam.claims.contrasts import MATCHED, MOST_FAILED
from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_COMPARABLE, SUPPORTED
from lowparam.claims.registry import Registry, load_registry
from lowparam.claims.statistics import CONFIDENCE, POWER
from lowparam.claims.subjects import subject
from lowparam.errors import LowparamError
from lowparam.files import atomic, read_csv, write_text
from lowparam.params import Params
from lowparam.report.context import Context
from lowparam.report.escape import latex
from lowparam.report.pages.answers import Judgement, judgements
from lowparam.report.pages.paper_questions import questions
from lowparam.report.style import in_style, save
from lowparam.report.table_format import Table
from lowparam.report.verdicts.macros import command_name, macros
from lowparam.report.verdicts.overview import overview_figure, read_verdicts
from lowparam.report.verdicts.view import current, view

__all__ = ["write_paper"]

TEMPLATES = Path(__file__).parent / "templates"
ENGINES = {
    "pdflatex": ["-interaction=nonstopmode", "-halt-on-error", "-output-directory=build"],
    "tectonic": ["--outdir=build"],
}


def write_paper(params: Params, folder: Path = Path("paper")) -> Path:
    """Compile ``<folder>/paper.tex`` with the results of all experiments and studies that have verdicts.

    Returns
    -------
    Path
        ``<folder>/paper.pdf``.

    Raises
    ------
    LowparamError
        If nothing has verdicts, LaTeX is not installed, or it fails.
    """
    engine = next((name for name in ENGINES if shutil.which(name)), None)
    if engine is None:
        raise LowparamError(
            "no LaTeX is installed; on Debian: apt-get install texlive-latex-recommended texlive-science"
        )
    if not (folder / "paper.tex").exists():
        raise LowparamError(f"{folder / 'paper.tex'} does not exist; run this in the folder that contains it")
    registry = load_registry()
    verdicts = current(read_verdicts(params), registry)
    names = list(verdicts["experiment"].unique())
    results = Path(os.path.relpath(paths.RESULTS, folder)).as_posix()
    build = folder / "build"
    judged = judgements(params, registry)
    write_text(build / "primary.tex", _primary(judged, registry).latex("all"))
    write_text(build / "questions.tex", questions(params, registry, judged, folder))
    with in_style():
        save(overview_figure(verdicts, registry), build, "claims")
    write_text(build / "numbers.tex", _numbers(params, registry, verdicts, names))
    for name in names:
        write_text(build / "macros" / f"{name}.tex", _macros(params, name, registry))
    write_text(build / "experiments.tex", "\n".join(_section(params, name, results, verdicts) for name in names))
    _compile(engine, folder)
    with atomic(folder / "paper.pdf") as temporary:
        shutil.copy(build / "paper.pdf", temporary)
    return folder / "paper.pdf"


def _primary(judged: list[Judgement], registry: Registry) -> Table:
    """Tabulate the primary tests that have runs, with the estimate and its interval on each experiment."""
    found = [one for one in judged if one.test.test.primary and one.is_tested]
    rows = [
        [one.claim.id, one.subject.place, one.test.marked, f"{one.test.estimate} {one.test.unit}", _interval(one)]
        for one in sorted(found, key=lambda one: registry.claims.index(one.claim))
    ]
    return Table(
        name="primary",
        caption="Primary tests of the claims: estimate and interval on every experiment that has the runs, with its "
        "data in brackets. † Arms were trained at different learning rates, which alone moves the measure.",
        header=["claim", "on", "verdict", "estimate", f"{100 * CONFIDENCE:g} % interval"],
        rows=rows,
        labels=5,
        numbers=pd.DataFrame(rows),
    )


def _interval(one: Judgement) -> str:
    return one.test.interval if one.subject.experiment else f"{one.test.interval} (range)"  # exact, no sample


def _numbers(params: Params, registry: Registry, verdicts: pd.DataFrame, names: list[str]) -> str:
    """Return the macros for the running text, and an input of those of every experiment."""
    found = verdicts.loc[verdicts["primary"].eq(True), "verdict"]
    values = {
        "Version": __version__,
        "Claims": sum(not claim.question for claim in registry.claims),
        "Questions": sum(claim.question for claim in registry.claims),
        "Experiments": ", ".join(names),
        "Runs": f"{_trainings(params, names):,}",
        "Supported": (found == SUPPORTED).sum(),
        "Contradicted": (found == CONTRADICTED).sum(),
        "Inconclusive": (found == INCONCLUSIVE).sum(),
        "NotComparable": (found == NOT_COMPARABLE).sum(),
        "Confidence": f"{100 * CONFIDENCE:g}",
        "Matched": f"{100 * MATCHED:g}",
        "MostFailed": f"{100 * MOST_FAILED:g}",
        "Power": f"{100 * POWER:g}",
    }
    lines = [rf"\newcommand{{\lowparam{name}}}{{{latex(str(value))}}}" for name, value in values.items()]
    return "\n".join([*lines, *(rf"\input{{build/macros/{name}}}" for name in names), ""])


def _trainings(params: Params, names: list[str]) -> int:
    """Count the trainings of experiments, one that several of them share once."""
    runs = pd.concat([subject(params, name).read() for name in names if name in params.experiments])
    return len(runs.drop_duplicates(["parameters_total", "seed", "train_loss", "test_loss"]))


def _macros(params: Params, name: str, registry: Registry) -> str:
    """Return the commands for the numbers of an experiment or study, from its csv files.

    ``tables/macros.tex`` has them too, but an older one lacks those that are named since.
    """
    judged_on = subject(params, name)
    claims = view(current(read_csv(paths.claims(name)), registry), registry)
    return macros(claims, judged_on, judged_on.read(), params)


def _section(params: Params, name: str, results: str, verdicts: pd.DataFrame) -> str:
    """Return the section of an experiment: its verdicts and accuracies."""
    context = Context(params, name)
    tables = ["accuracy", *(table.name for table in catalogue.outputs(catalogue.TABLES, context.subject, "verdicts"))]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    return environment.get_template("experiment.tex").render(
        name=name,
        title=latex(name.replace("_", " ")),
        p=command_name([name]),
        study=name not in params.experiments,
        verdicts={
            word: _tests(verdicts, name, word) for word in (SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_COMPARABLE)
        },
        results=results,
        tables=[table for table in tables if (paths.tables(name) / f"{table}.tex").exists()],
    )


def _tests(verdicts: pd.DataFrame, name: str, word: str) -> list[dict[str, str]]:
    """Return the primary tests with a verdict, and the prefix of the macros that hold their numbers."""
    rows = verdicts[verdicts["experiment"].eq(name) & verdicts["primary"].eq(True) & verdicts["verdict"].eq(word)]
    return [
        {"claim": row.claim, "unit": latex(row.unit), "macro": command_name([name, row.claim, row.test])}
        for row in rows.itertuples()
    ]


def _compile(engine: str, folder: Path) -> None:
    """Run LaTeX until all references are resolved.

    The PDF contains no date, so equal results give an equal file.
    """
    command = [engine, *ENGINES[engine], "paper.tex"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
    for _ in range(1 if engine == "tectonic" else 3):
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", errors="replace"
        )
        if done.returncode:
            wrong = re.search(r"^! (.*)$", done.stdout, re.MULTILINE)
            reason = wrong[1] if wrong else f"exit code {done.returncode}"
            raise LowparamError(f"{engine} stopped at {folder / 'paper.tex'}: {reason}; see {folder}/build/paper.log")
        if "Rerun to get" not in done.stdout and "undefined references" not in done.stdout:
            return
