"""LaTeX commands for the numbers of running text."""

import re

import pandas as pd

from lowparam.claims.statistics import mean_interval
from lowparam.claims.subjects import Subject
from lowparam.params import Params, format_size
from lowparam.report.escape import latex
from lowparam.report.formats import rounded
from lowparam.report.verdicts.view import ClaimVerdict, count_verdicts

__all__ = ["command_name", "macros"]

# LaTeX allows only letters in the name of a command.
DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")

GRID = ["architecture", "probe", "budget"]


def macros(claims: list[ClaimVerdict], subject: Subject, runs: pd.DataFrame, params: Params) -> str:
    r"""Write LaTeX commands such as ``\digitsCTwoTotalEstimate``.

    Digits and points in names are spelled out. Every number is rounded as in the tables.
    """
    values: dict[str, list[str]] = {}

    def add(parts: list[str], value: str) -> None:
        values.setdefault(command_name([subject.name, *parts]), []).append(value)

    for word, count in count_verdicts(claims, with_tests=True).items():
        add(["claims", *word.split()], str(count))
    add(["runs"], str(len(runs)))
    if subject.experiment is not None:
        recipe = params.recipes[subject.experiment.recipe]
        add(["seeds"], str(runs["seed"].nunique()))
        for status in ("diverged", "untrained"):
            add([status], str(int((runs["status"] == status).sum())))
        add(["architectures"], str(runs["architecture"].nunique()))
        add(["budgets"], ", ".join(map(format_size, subject.experiment.sizes)))
        add(["data"], subject.experiment.data)
        add(["optimizer"], recipe.optimizer)
        add(["epochs"], str(recipe.epochs))
        add(["batch", "size"], str(recipe.batch_size))
        add(["learning", "rate"], f"{recipe.lr:g}")
        add(["weight", "decay"], f"{recipe.weight_decay:g}")
    for claim in claims:
        for test in claim.tests:
            name = [claim.claim.id, test.test.id]
            add([*name, "verdict"], test.verdict)
            if test.is_tested:
                add([*name, "estimate"], test.estimate)
                add([*name, "low"], test.low)
                add([*name, "high"], test.high)
                add([*name, "p"], test.p)
    if "test_accuracy" in runs:
        for (architecture, probe, budget), group in runs.groupby(GRID, sort=False):
            estimate = mean_interval(100 * group["test_accuracy"])
            name = ["accuracy", architecture, probe, budget]
            add(name, rounded(estimate.mean, 1))
            add([*name, "interval"], rounded(estimate.half_width, 1))
    lines = [f"% Numbers of {subject.name} for running text. Written by lowparam claims {subject.name}."]
    for name, found in values.items():
        if len(found) == 1:
            lines.append(rf"\newcommand{{\{name}}}{{{latex(found[0])}}}")
        else:  # LaTeX would stop at the second, and nobody could know which of them a reader means
            lines.append(f"% {len(found)} numbers would be called {name}; they are in the tables.")
    return "\n".join(lines) + "\n"


def command_name(parts: list[str]) -> str:
    """Return the name of a LaTeX command: letters only, words capitalised, digits and points in numbers spelled out."""
    text = re.sub(r"(?<=\d)\.(?=\d)", "_Point_", "_".join(parts))
    spelled = "".join(f"_{DIGITS[int(letter)]}_" if letter in "0123456789" else letter for letter in text)
    words = "".join(letter if letter.isascii() and letter.isalpha() else " " for letter in spelled).split()
    return words[0] + "".join(word[0].upper() + word[1:] for word in words[1:])
