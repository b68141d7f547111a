"""How many features a neuron reads in models that compute |x|, by hidden activation, norm and density."""

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from lowparam.files import write_csv
from lowparam.studies.toy.settings import Settings
from lowparam.studies.toy.tasks import HIDDEN_ACTIVATIONS, densities_as_written, train_absolute

__all__ = ["features_per_neuron", "run_absolute", "write"]

OUTPUTS = ("absolute.csv",)
SETTINGS = ("absolute_densities", "seeds", "steps")


def features_per_neuron(inward: Tensor) -> float:
    """Compute how many features a neuron reads: participation ratio of its squared input weights, 1 if monosemantic.

    The mean over neurons, with V of shape (m, n); neurons shorter than a tenth of the longest are dead and left out.
    """
    squared = inward**2
    norms = squared.sum(1)
    alive = norms > 0.01 * norms.max()
    return (norms[alive] ** 2 / (squared[alive] ** 2).sum(1)).mean().item()


def run_absolute(settings: Settings) -> pd.DataFrame:
    """Train |x| of 20 features on 16 neurons, with importances 0.9^i, for each activation, norm and density.

    Returns
    -------
    DataFrame
        One row for each model: activation, norm, density, seed, features_per_neuron, and relative_loss, the loss over
        that of answering 0.
    """
    n, m = 20, 16
    densities = torch.tensor(settings.absolute_densities, dtype=torch.float32).repeat_interleave(len(settings.seeds))
    importance = (0.9 ** torch.arange(n)).expand(len(densities), n)
    rows = []
    for activation in HIDDEN_ACTIVATIONS:
        for norm in (False, True):
            models = train_absolute(
                n,
                m,
                densities,
                activation,
                norm=norm,
                importance=importance,
                steps=settings.steps,
                seed=settings.seeds[0],
            )
            rows += [
                {
                    "activation": activation,
                    "norm": "layer norm" if norm else "none",
                    "density": density,
                    "seed": seed,
                    "features_per_neuron": features_per_neuron(inward),
                    "relative_loss": loss,
                }
                for inward, density, seed, loss in zip(
                    models.inward,
                    densities_as_written(densities),
                    settings.seeds * len(settings.absolute_densities),
                    models.loss.tolist(),
                    strict=True,
                )
            ]
    return pd.DataFrame(rows)


def write(settings: Settings, folder: Path) -> None:
    """Train the models and write ``absolute.csv`` (`run_absolute`) into `folder`."""
    write_csv(folder / "absolute.csv", run_absolute(settings))
