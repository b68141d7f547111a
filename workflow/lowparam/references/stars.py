"""The tables of Ma et al. 2024 on ImageNet-1k, star against sum, to compare our own runs with.

"Rewrite the Stars", arXiv 2403.19967v1; top-1 accuracy in percent, one run each, no spread reported. Only accuracies
are stored, and gaps are computed from them; they equal the printed ones except in table 16, where the loss of 0.3 at
depth 14 is printed as a gain.
"""

from dataclasses import dataclass

import pandas as pd

__all__ = ["MOONS_ACCURACY", "TABLES", "PublishedTable"]


@dataclass(frozen=True)
class PublishedTable:
    """A table of the paper.

    Parameters
    ----------
    number : int
        Number of the table in the paper.
    about : str
        The networks, and what is varied.
    columns : tuple of str
        Names: what is varied, then accuracies in percent.
    rows : tuple of tuples
        Values in the paper's order.
    """

    number: int
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]

    @property
    def source(self) -> str:
        """Where the table is published."""
        return f"Ma et al. 2024, table {self.number}"

    def frame(self) -> pd.DataFrame:
        """Return the table as it is printed."""
        return pd.DataFrame(self.rows, columns=list(self.columns))


TABLES = {
    table.number: table
    for table in (
        PublishedTable(
            2,
            "DemoNet of depth 12",
            ("width", "sum", "star"),
            (
                (96, 51.1, 57.6),
                (128, 58.5, 64.0),
                (160, 62.7, 68.2),
                (192, 66.2, 71.7),
                (224, 69.6, 73.9),
                (256, 71.4, 75.3),
                (288, 72.5, 76.1),
            ),
        ),
        PublishedTable(
            3,
            "DemoNet of width 192",
            ("depth", "sum", "star"),
            (
                (10, 63.8, 70.3),
                (12, 66.3, 71.8),
                (14, 68.2, 72.9),
                (16, 68.8, 72.9),
                (18, 69.9, 73.9),
                (20, 69.6, 75.4),
                (22, 70.6, 75.4),
            ),
        ),
        PublishedTable(
            4,
            "DemoNet of depth 12 and width 192, activations removed",
            ("operator", "with", "without"),
            (("sum", 66.2, 32.4), ("star", 71.7, 70.5)),
        ),
        PublishedTable(
            7,
            "StarNet-S4, star or sum in its stages; S is star and + is sum, from input to output",
            ("stages", "accuracy"),
            (
                ("++++", 75.3),
                ("S+++", 75.1),
                ("SS++", 75.2),
                ("SSS+", 76.8),
                ("SSSS", 78.4),
                ("++S+", 76.4),
                ("+++S", 76.9),
                ("++SS", 78.4),
            ),
        ),
        PublishedTable(
            9,
            "StarNet-S4, place of the activation",
            ("place", "accuracy"),
            (("none", 75.6), ("both branches", 78.0), ("after the product", 77.0), ("one branch", 78.4)),
        ),
        PublishedTable(
            15,
            "DemoNet of depth 12 with star, activations removed",
            ("width", "with", "without"),
            (
                (96, 57.6, 57.6),
                (128, 64.0, 64.0),
                (160, 68.2, 67.5),
                (192, 71.7, 70.5),
                (224, 73.9, 73.0),
                (256, 75.3, 75.3),
                (288, 76.1, 75.7),
            ),
        ),
        PublishedTable(
            16,
            "DemoNet of width 192 with star, activations removed",
            ("depth", "with", "without"),
            (
                (10, 70.3, 69.4),
                (12, 71.8, 70.5),
                (14, 72.9, 72.6),
                (16, 72.9, 73.5),
                (18, 73.9, 74.2),
                (20, 75.4, 74.7),
                (22, 75.4, 75.5),
            ),
        ),
        PublishedTable(
            17,
            "StarNet-S4, kind of activation",
            ("probe", "accuracy"),
            (("ReLU", 77.6), ("GELU", 77.8), ("LeakyReLU", 77.7), ("h-swish", 77.7), ("ReLU6", 78.4)),
        ),
        PublishedTable(
            18,
            "StarNet-S4, designs of the block at equal parameters and FLOPs, numbered as in figure 8",
            ("design", "accuracy"),
            (("I", 78.4), ("II", 74.4), ("III", 74.4), ("IV", 78.5), ("V", 78.6)),
        ),
    )
}
"""Tables of the paper by number."""

MOONS_ACCURACY = {("++++", "relu"): "about 85", ("SSSS", "relu"): "about 95"}
"""Training accuracy on the two moons in percent, by blocks and activation.

From comments in the authors' code (ma-xu/Rewrite-the-Stars, 2D_visual/main.py); the paper gives no numbers.
"""
