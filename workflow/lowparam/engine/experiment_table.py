"""Write docs/experiments.md: every experiment with its purpose, runs, predicted time, command and claims.

The purpose is the comment above the experiment in params.yaml; the time is that of ``lowparam plan``.
"""

import re
from itertools import pairwise
from pathlib import Path

from lowparam.claims.availability import planned
from lowparam.engine.plans import with_profiles
from lowparam.errors import LowparamError
from lowparam.files import write_text
from lowparam.page_tables import markdown
from lowparam.params import Params

__all__ = ["PAGE", "purposes", "rows", "write_page"]

PAGE = Path("docs/experiments.md")
CORES = 2
HEAD = """\
# Experiments

Every experiment of [params.yaml](../params.yaml), its number of runs, and how many minutes it takes on two cores.
`lowparam plan --write` writes this page.
The times are predictions for the machine of [performance.md](performance.md), with tuning, profiles and the report.
A dash means that the data set was not prepared where the page was written.

"""


def purposes(text: str) -> dict[str, tuple[str, str]]:
    """Return purpose and command of each experiment from the text of params.yaml.

    The comment above an experiment is its purpose, followed by the command in backquotes.

    Raises
    ------
    LowparamError
        If an experiment has no such comment.
    """
    found = {}
    body = text[text.index("\nexperiments:") :].splitlines()
    for before, line in pairwise(body):
        if name := re.match(r"  ([A-Za-z0-9_.]+):", line):
            about = re.match(r"  # (.+?)\.? `([^`]+)`$", before)
            if about is None:
                raise LowparamError(
                    f"params.yaml: experiments.{name[1]} has no comment above it; write: # Purpose. `command`"
                )
            found[name[1]] = (about[1], about[2])
    return found


def rows(params: Params, text: str, known: dict[str, str] | None = None) -> list[dict[str, str]]:
    """Return a row for each experiment.

    Parameters
    ----------
    params : Params
        The experiments.
    text : str
        params.yaml.
    known : dict of str to str
        Minutes by experiment to use where they cannot be predicted here.
    """
    from lowparam.training.plan import plan, totals  # here, because it imports torch

    table = []
    for name, (purpose, command) in purposes(text).items():
        try:
            predicted = with_profiles(plan(params, name), deploy=params.experiment(name).deploy)
            minutes = f"{60 * totals(predicted, CORES)['hours']:,.0f}"
        except LowparamError:  # the data are not prepared
            minutes = (known or {}).get(name, "–")
        claims = sorted({claim for claim, _ in planned(params.experiment(name))}, key=lambda claim: int(claim[1:]))
        table.append(
            {
                "experiment": f"`{name}`",
                "purpose": purpose,
                "data": params.experiment(name).data,
                "runs": str(len(params.runs(name))),
                "minutes": minutes,
                "command": f"`{command}`",
                "claims": ", ".join(claims) or "–",
            }
        )
    return table


def write_page(params: Params) -> None:
    """Write the page for params.yaml in the current folder; keep minutes that cannot be predicted here."""
    known = {}
    if PAGE.exists():
        for line in PAGE.read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) > 6 and cells[1].startswith("`"):
                known[cells[1].strip("`")] = cells[5]
    found = rows(params, Path("params.yaml").read_text(encoding="utf-8"), known)
    write_text(PAGE, f"{HEAD}{markdown(found)}\n")
