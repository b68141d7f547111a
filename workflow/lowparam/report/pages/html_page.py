"""Write one HTML file about an experiment or study: verdicts, their evidence, tables, figures and runs."""

import base64
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from lowparam import __version__, catalogue, paths
from lowparam.claims.base import ClaimTest
from lowparam.claims.contrasts import selected
from lowparam.claims.judge import Judged
from lowparam.claims.registry import load_registry
from lowparam.claims.statistics import mean_interval
from lowparam.claims.subjects import subject
from lowparam.errors import LowparamError
from lowparam.files import read_csv, write_text
from lowparam.params import Params
from lowparam.report.context import Context
from lowparam.report.estimates import blank_diverged
from lowparam.report.formats import format_number, format_spread
from lowparam.report.table_format import Table
from lowparam.report.verdicts.view import ClaimVerdict, count_verdicts, view
from lowparam.report.write import make_tables

__all__ = ["write_page"]

TEMPLATES = Path(__file__).parent / "templates"
WIDTH = 400  # of the plot of an interval
FIRST = "accuracy"  # the table and figure that the page begins with
NO_EVIDENCE = {"scales": [], "untrained": 0}


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
    registry = load_registry()
    judged_on = subject(params, experiment)
    judged = Judged(read_csv(paths.claims(experiment)))
    runs = judged_on.read()
    claims = view(judged.rows, registry)
    context = Context(params, experiment, verdicts=judged)
    drawn = catalogue.every_output(catalogue.FIGURES, context.subject)
    figures = {output.name: _picture(context, output) for output in drawn if output.on_page}
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    ).get_template("report.html")
    tables = [_table(context, table) for of in (None, "verdicts") for table in make_tables(context, of, page=True)]
    text = template.render(
        experiment=experiment,
        version=__version__,
        about=judged_on.about(runs),
        again=f"lowparam claims {experiment}",
        counts=count_verdicts(claims),
        claims=[_claim(claim, runs, figures) for claim in claims],
        tables=tables,
        first=FIRST if FIRST in {table["name"] for table in tables} else "",
        figures=figures,
        missing=[name for name in catalogue.known_figures("verdicts") if name not in figures],
        scales=_scales(blank_diverged(runs)) if judged_on.experiment else [],
    )
    write_text(paths.page(experiment), text)


def _claim(claim: ClaimVerdict, runs: pd.DataFrame, figures: Collection[str]) -> dict[str, Any]:
    return {
        "verdict": claim,
        "tests": [
            {"verdict": test, "bar": _bar(test.row), **(_evidence(test.test, runs) if test.is_tested else NO_EVIDENCE)}
            for test in claim.tests
        ],
        "figures": [name for name in claim.figures if name in figures],
    }


def _evidence(test: ClaimTest, runs: pd.DataFrame) -> dict[str, Any]:
    """Return the names of the scales that a test used, and how many of their runs are untrained."""
    if not test.arms():
        return NO_EVIDENCE
    used = runs[selected(runs, test.arms())]
    scales = list(dict.fromkeys(Path(folder).parent.name for folder in used["folder"]))
    return {"scales": scales, "untrained": int((used["status"] == "untrained").sum())}


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
    folder = paths.figures(context.name)
    picture = folder / f"{output.name}.png"
    try:
        with Image.open(picture) as image:
            width, height = image.size
    except OSError as error:
        raise LowparamError(f"{picture} is missing or damaged; run: lowparam figures {context.name}") from error
    data = base64.b64encode(picture.read_bytes()).decode()
    return Picture(
        output.name, context.caption(output), (folder / f"{output.name}.pdf").as_posix(), width, height, data
    )


def _scales(runs: pd.DataFrame) -> list[dict]:
    rows = []
    for folder, group in runs.groupby(runs["folder"].map(lambda path: Path(path).parent.as_posix()), sort=False):
        rows.append(
            {
                "name": Path(folder).name,
                "folder": folder,
                "parameters": format_number(group["parameters_total"].iloc[0], "parameters"),
                "seeds": ", ".join(map(str, group["seed"])),
                **{status: int((group["status"] == status).sum()) for status in ("diverged", "untrained")},
                "accuracy": format_spread(mean_interval(100 * group["test_accuracy"]), 1),
                "r": format_spread(mean_interval(group["r_projection"]), 2),
            }
        )
    return rows
