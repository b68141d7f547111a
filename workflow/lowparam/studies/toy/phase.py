"""When two features share one dimension: a phase diagram over importance and density, with its closed-form boundary."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lowparam.files import write_csv
from lowparam.studies.toy.settings import Settings
from lowparam.studies.toy.tasks import train_identity

__all__ = ["antipodal_loss", "boundary", "dedicated_loss", "run_phase", "write"]

OUTPUTS = ("phase.csv",)
SETTINGS = ("phase_cells", "restarts", "steps")


def antipodal_loss(density: float, importance: float) -> float:
    """Return the loss of features of importance 1 and I at +1 and -1 on one line, to leading order: (1 + I) p^2 / 6."""
    return (1 + importance) * density**2 / 6


def dedicated_loss(density: float, importance: float) -> float:
    """Return the loss of one dimension for the more important feature, and the best constant for the other.

    c (p / 3 - p^2 / 4) with c = min(1, I), the importance of the feature that is left out.
    """
    return min(1.0, importance) * (density / 3 - density**2 / 4)


def boundary(importance: float) -> float:
    """Return the density p* below which two features share one dimension: 4 c / (2 (1 + I) + 3 c) (equal losses)."""
    least = min(1.0, importance)
    return 4 * least / (2 * (1 + importance) + 3 * least)


def run_phase(settings: Settings) -> pd.DataFrame:
    """Train two features in one dimension over a grid of importance and density, and keep the best of several.

    Returns
    -------
    DataFrame
        One row for each cell: importance of the second feature (the first has 1), density, norms of both, ``outcome``
        (superposition, first, second, or neither, at a norm of 0.5), the loss, the two closed-form losses, and the
        closed-form ``boundary`` density of that importance.
    """
    importances = np.geomspace(0.1, 10, settings.phase_cells)
    densities = np.geomspace(0.01, 1, settings.phase_cells)
    cells = [(i, p) for i in importances for p in densities]
    restarts = settings.restarts
    models = train_identity(
        2,
        1,
        torch.tensor([p for _, p in cells], dtype=torch.float32).repeat_interleave(restarts),
        torch.tensor([(1.0, i) for i, _ in cells], dtype=torch.float32).repeat_interleave(restarts, 0),
        steps=settings.steps,
    )
    rows = []
    for cell, (importance, density) in enumerate(cells):
        own = slice(cell * restarts, (cell + 1) * restarts)
        best = int(models.loss[own].argmin())
        first, second = models.weight[own][best].abs().flatten().tolist()
        outcome = {(True, True): "superposition", (True, False): "first", (False, True): "second"}
        rows.append(
            {
                "importance": importance,
                "density": density,
                "first_norm": first,
                "second_norm": second,
                "outcome": outcome.get((first > 0.5, second > 0.5), "neither"),
                "loss": models.loss[own][best].item(),
                "antipodal_loss": antipodal_loss(density, importance),
                "dedicated_loss": dedicated_loss(density, importance),
                "boundary": boundary(importance),
            }
        )
    return pd.DataFrame(rows)


def write(settings: Settings, folder: Path) -> None:
    """Train the models and write ``phase.csv`` (`run_phase`) into `folder`."""
    write_csv(folder / "phase.csv", run_phase(settings))
