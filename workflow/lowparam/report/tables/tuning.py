"""Every recipe value that was tried for each architecture, and the chosen ones."""

from typing import Any

import pandas as pd

from lowparam.claims.statistics import mean_interval
from lowparam.report.context import Context
from lowparam.report.estimates import in_order, rising
from lowparam.report.formats import Cell
from lowparam.report.labels import architecture_label, probe_label
from lowparam.report.table_format import Table

CAPTION = (
    "Recipe values tried on {experiment} for each architecture with each probe, with {seeds} that the results do not "
    "use: mean validation accuracy in %, with 95 % t interval if there are several seeds. Bold: chosen, by the highest "
    "mean among values with which no training diverged or stayed untrained (out)."
)
APPLIES = ("is_tuned",)
ORDER = 60

EXTENDED, AT_EDGE = "*", "†"


def make(context: Context) -> Table:
    """Compute the table from the files of what tuning chose; the check at the largest budget is in rows of its own."""
    tune = context.experiment.tune
    assert tune is not None
    return summarise(context.tuning, list(tune.values), len(tune.seeds))


def summarise(trials: pd.DataFrame, keys: list[str], seeds: int) -> Table:
    """Compute a row for each architecture, probe, budget and combination of values.

    Parameters
    ----------
    trials : DataFrame
        `Context.tuning`.
    keys : list of str
        The recipe keys that were tuned.
    seeds : int
        Number of tuning seeds.
    """
    rows, numbers = [], []
    groups = ["architecture", "probe", "budget", "check"]
    for (architecture, probe, budget, _), family in trials.groupby(groups, sort=False):
        family = family.sort_values(keys, key=_places, kind="stable")
        for _, group in family.groupby(keys, sort=False):
            first = group.iloc[0]
            out = [f"{count} {status}" for status, count in _failures(group).items()]
            estimate = mean_interval(100 * group["validation_accuracy"].astype(float))
            values = [_value(first[key]) + _marks(key, first) for key in keys]
            cell = Cell(estimate, 1, best=bool(first["chosen"]))
            rows.append([architecture_label(architecture), probe_label(probe), budget, *values, ", ".join(out), cell])
            numbers.append(
                {
                    "architecture": architecture,
                    "probe": probe,
                    "budget": budget,
                    **{key: first[key] for key in keys},
                    "quantity": "validation_accuracy",
                    "mean": estimate.mean,
                    "half_width": estimate.half_width,
                    "n": len(group),
                    **{status: int((group["status"] == status).sum()) for status in ("diverged", "untrained")},
                    **{name: first[name] for name in ("added", "chosen", "at_edge", "check")},
                    "unit": "percent",
                }
            )
    return Table(
        header=["", "probe", "budget", *keys, "out", "validation"],
        rows=rows,
        labels=4 + len(keys),
        numbers=pd.DataFrame(numbers),
        notes=notes(trials),
        details={"seeds": f"{seeds} seed{'s' * (seeds > 1)}"},
    )


def _places(column: pd.Series) -> pd.Series:
    order = rising(column.tolist())
    return column.map(order.index)


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _marks(key: str, row: pd.Series) -> str:
    at_edge = key in row["at_edge"].split(",") and not row["check"]
    return EXTENDED * (key in row["added"].split(",")) + AT_EDGE * at_edge


def _failures(group: pd.DataFrame) -> dict[str, int]:
    statuses = group["status"][group["status"] != "finished"]
    return {status: int((statuses == status).sum()) for status in in_order(statuses)}


def notes(trials: pd.DataFrame) -> list[str]:
    """Explain the marks, and say what the check at the largest budget gave."""
    lines = []
    if (trials["added"] != "").any():
        lines.append(f"{EXTENDED} added, because the best value was at the end of the list, or none trained.")
    if (trials["at_edge"] != "").any():
        lines.append(f"{AT_EDGE} chosen, but still at the end of the list.")
    checked = trials[trials["check"] != ""].drop_duplicates(["architecture", "probe"])
    for row in checked.to_dict("records"):
        what = f"{architecture_label(row['architecture'])}, {probe_label(row['probe'])}"
        better = "no neighbour is better there" if row["check"] == "holds" else "a neighbour is better there"
        lines.append(f"{what}: the choice was checked at {row['budget']}; {better}.")
    return lines
