"""Feature dimensionality of trained toy models and of the polytopes that they form."""

import pandas as pd

from lowparam.report.context import Context
from lowparam.report.table_format import Table

CAPTION = (
    "Feature dimensionality D in trained toy models (n features in m dimensions, each feature present with probability "
    "p, the best of several trainings), and D of the polytope that they form. |W|² and b are means over features."
)
OF = "toy"
ORDER = 10


def make(context: Context) -> Table:
    """Compute the table from ``shapes.csv``."""
    return compare(context.read("shapes"))


def compare(shapes: pd.DataFrame) -> Table:
    """Compare the dimensionality of features with that of the polytope."""
    rows = []
    for name, model in shapes.groupby("shape", sort=False):
        first = model.iloc[0]
        groups = model.groupby("expected")["dimensionality"]
        rows.append(
            [
                str(name),
                f"{first['n']}",
                f"{first['m']}",
                f"{first['density']:g}",
                ", ".join(f"{expected:.3f}" for expected in groups.groups),
                ", ".join(f"{group.min():.3f} to {group.max():.3f}" for _, group in groups),
                f"{(model['norm'] ** 2).mean():.2f}",
                f"{model['bias'].mean():.2f}".replace("-", "−"),
            ]
        )
    return Table(
        header=["shape", "n", "m", "p", "D, known", "D, measured", "|W|²", "b"],
        rows=rows,
        labels=1,
        numbers=shapes,
    )
