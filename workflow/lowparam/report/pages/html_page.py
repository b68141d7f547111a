"""Write one HTML file about an experiment or study: verdicts, their evidence, tables, figures and runs."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from lowparam import __version__, architectures, catalogue, paths
from lowparam.claims.base import Kind
from lowparam.claims.best_variant import best_variants
from lowparam.claims.finding import CONTRADICTED, INCONCLUSIVE, NOT_TESTED, SUPPORTED, NotTested
from lowparam.claims.judge import STAR, read_runs
from lowparam.claims.kinds.contrast import chosen
from lowparam.claims.registry import Claim, Registry, load_registry
from lowparam.claims.statistics import mean_interval
from lowparam.errors import LowparamError
from lowparam.files import read_csv, write_text
from lowparam.params import Experiment, Params
from lowparam.report.context import Context
from lowparam.report.evidence import Evidence
from lowparam.report.formats import format_number, format_spread
from lowparam.report.table_format import Table
from lowparam.report.write import make_tables

__all__ = ["write_page"]

TEMPLATES = Path(__file__).parent / "templates"
WIDTH = 400  # of the plot of an interval


@dataclass(frozen=True)
class Picture:
    """A figure embedded in the page.

    Parameters
    ----------
    name, about : str
        Name and caption.
    path : str
        Where its PDF is.
    width, height : int
        In pixels.
    data : str
        The PNG, base64-encoded.
    """

    name: str
    about: str
    path: str
    width: int
    height: int
    data: str


def write_page(params: Params, experiment: str) -> None:
    """Write ``results/<experiment>/report.html`` from the claims, runs and figures in the same folder.

    Raises
    ------
    LowparamError
        If a file that the experiment should have is missing or damaged.
    """
    folder = Path("results", experiment)
    registry = load_registry()
    judged = read_csv(folder / "claims.csv")
    runs = read_runs(params, experiment)
    chosen_params = None if experiment == STAR else params.experiment(experiment)
    context = Context(params, experiment, verdicts=judged)
    shown = [
        output for of in ("verdicts", None) for output in catalogue.outputs(catalogue.FIGURES, context.subject, of)
    ]
    figures = {output.name: _picture(context, output) for output in shown if output.on_page}
    first = judged[judged["primary"].eq(True) | judged["test"].isna()]["verdict"]
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    ).get_template("report.html")
    text = template.render(
        experiment=experiment,
        version=__version__,
        about=_about(runs, chosen_params),
        again=f"snakemake {experiment}_claims",
        counts={word: int((first == word).sum()) for word in (SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_TESTED)},
        claims=[_claim(claim, registry, judged, runs, list(figures)) for claim in registry.claims],
        tables=[_table(context, table) for of in (None, "verdicts") for table in make_tables(context, of, page=True)],
        figures=figures,
        missing=[name for name in catalogue.known_figures("verdicts") if name not in figures],
        scales=[] if experiment == STAR else _scales(runs),
    )
    write_text(folder / "report.html", text)


def _about(runs: pd.DataFrame, experiment: Experiment | None) -> str:
    if experiment is None:
        return f"{len(runs)} implicit dimensions, counted exactly."
    diverged = int((runs["status"] == "diverged").sum())
    return (
        f"Data: {experiment.data}. {len(runs)} runs of {runs['architecture'].nunique()} architectures with "
        f"{runs['seed'].nunique()} seeds, {diverged} diverged."
    )


def _claim(claim: Claim, registry: Registry, judged: pd.DataFrame, runs: pd.DataFrame, figures: list[str]) -> dict:
    kinds = {test.id: test for test in claim.tests}
    rows = judged[judged["claim"] == claim.id]
    tests = [_test(row, kinds[row.test], runs) for row in rows.itertuples() if not claim.without_test]
    tested = [kinds[test["id"]] for test in tests if test["evidence"].verdict != NOT_TESTED]
    return {
        "id": claim.id,
        "statement": claim.statement,
        "reference": registry.papers[claim.paper].reference,
        "source": claim.source,
        "prediction": claim.prediction,
        "without_test": claim.without_test,
        "verdict": next((t["evidence"].verdict for t in tests if t["primary"]), NOT_TESTED),
        "primary": next((test for test in tests if test["primary"]), None),
        "tests": tests,
        "figures": [name for name in dict.fromkeys(map(_figure_of, tested)) if name in figures],
    }


def _test(row: Any, test: Kind, runs: pd.DataFrame) -> dict:
    evidence = Evidence(row)
    return {
        "id": test.id,
        "kind": test.kind.replace("_", " "),
        "primary": test.primary,
        "about": test.about,
        "evidence": evidence,
        "bar": _bar(row),
        "paper_where": test.paper_where,
        "reason": row.reason if isinstance(row.reason, str) else "",
        "command": row.command,
        "runs": 0 if pd.isna(row.runs) else int(row.runs),
        "diverged": 0 if pd.isna(row.diverged) else int(row.diverged),
        "scales": [] if evidence.verdict == NOT_TESTED else _scales_of(test, runs),
    }


def _scales_of(test: Kind, runs: pd.DataFrame) -> list[str]:
    """Return the names of the scales that a test used."""
    if not test.arms():
        return []
    try:
        runs = best_variants(runs) if test.best_variant else runs
    except NotTested:
        return []
    used = runs.loc[chosen(runs, test.arms()), "folder"]
    return list(dict.fromkeys(Path(folder).parent.name for folder in used))


def _figure_of(test: Kind) -> str:
    """Return the name of the figure that shows what a test is about."""
    by_kind = {
        "crossing": "crossing",
        "dose": "dose_response",
        "exponent": "scaling",
        "rank": "interference_accuracy",
        "slopes": "interference_accuracy",
        "numerical_rank": "dimension",
    }
    names = [name for arm in test.arms() for name in arm["architecture"]]
    if test.kind in by_kind:
        return by_kind[test.kind]
    if test.kind == "paired" and architectures.share_origin(names):
        return "ablation"
    if any("probe" in arm for arm in test.arms()):
        return "solu_gap" if test.outcome.endswith("accuracy") else "interference"
    return "accuracy" if test.outcome.endswith("accuracy") else "interference"


def _bar(row: Any) -> dict | None:
    """Compute the positions of the marks in the plot of an interval; None for an open interval."""
    values = np.array([row.low, row.estimate, row.high], dtype=float)
    if not np.isfinite(values).all():
        return None
    reference = 1.0 if isinstance(row.unit, str) and "formula" in row.unit else 0.0
    paper = None if pd.isna(row.paper_value) else float(row.paper_value)
    marks = [*values, reference, *([] if paper is None else [paper])]
    low, high = min(marks), max(marks)
    scale = 0.9 * WIDTH / (high - low) if high > low else 0.0

    def place(value: float) -> float:
        return round(0.05 * WIDTH + scale * (value - low), 1)

    return {
        "low": place(values[0]),
        "estimate": place(values[1]),
        "high": place(values[2]),
        "reference": place(reference),
        "paper": None if paper is None else place(paper),
    }


def _table(context: Context, table: Table) -> dict:
    path = paths.tables(context.name) / table.name
    return {"name": table.name, "title": table.name.replace("_", " "), "path": path.as_posix(), "html": table.html()}


def _picture(context: Context, output: catalogue.Output) -> Picture:
    path = paths.figures(context.name) / output.name
    picture = path.with_suffix(".png")
    try:
        with Image.open(picture) as image:
            width, height = image.size
    except OSError as error:
        raise LowparamError(f"{picture} is missing or damaged; run: lowparam figures {context.name}") from error
    data = base64.b64encode(picture.read_bytes()).decode()
    return Picture(output.name, context.caption(output), path.with_suffix(".pdf").as_posix(), width, height, data)


def _scales(runs: pd.DataFrame) -> list[dict]:
    rows = []
    for folder, group in runs.groupby(runs["folder"].map(lambda path: Path(path).parent.as_posix()), sort=False):
        rows.append(
            {
                "name": Path(folder).name,
                "folder": folder,
                "parameters": format_number(group["parameters_total"].iloc[0], "parameters"),
                "seeds": ", ".join(map(str, group["seed"])),
                "diverged": int((group["status"] == "diverged").sum()),
                "accuracy": format_spread(mean_interval(100 * group["test_accuracy"]), 1),
                "r": format_spread(mean_interval(group["r_projection"]), 2),
            }
        )
    return rows
