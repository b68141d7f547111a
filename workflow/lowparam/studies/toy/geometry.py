"""The geometry of features in trained toy models: small ones form polytopes, large ones change from dense to sparse."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from lowparam.files import write_csv
from lowparam.interference import direction_sets
from lowparam.interference.measures.capacity_used import participation
from lowparam.interference.measures.dimensionality import dimensionality, random_null, tight_floor
from lowparam.studies.toy.settings import Settings
from lowparam.studies.toy.tasks import BATCH, TEST_BATCHES, densities_as_written, sparse_features, train_identity

__all__ = ["SHAPES", "Shape", "run_shapes", "run_sweep", "write"]

OUTPUTS = ("shapes.csv", "grams.csv", "sweep.csv", "sweep_features.csv")
SETTINGS = ("features", "dimensions", "densities", "seeds", "restarts", "steps")


@dataclass(frozen=True)
class Shape:
    """A small identity task whose best solution is known.

    Parameters
    ----------
    name : str
        Name of the polytope.
    n, m : int
        Features and dimensions.
    density : float
        Probability that a feature is not zero.
    expected : tuple of float
        Dimensionality of each feature, in [0, 1].
    tolerance : float
        Largest difference from it in a trained model.
    """

    name: str
    n: int
    m: int
    density: float
    expected: tuple[float, ...]
    tolerance: float


SHAPES = (
    Shape("digon", 2, 1, 0.1, (1 / 2,) * 2, 0.01),
    Shape("digon and one alone", 3, 2, 0.1, (1 / 2, 1 / 2, 1), 0.01),
    Shape("digon and one alone, dense", 3, 2, 0.4, (1 / 2, 1 / 2, 1), 0.01),
    Shape("two digons", 4, 2, 0.1, (1 / 2,) * 4, 0.01),
    Shape("octahedron", 6, 3, 0.05, (1 / 2,) * 6, 0.01),
    Shape("pentagon", 5, 2, 0.1, (2 / 5,) * 5, 0.01),
    Shape("hexagon", 6, 2, 0.02, (1 / 3,) * 6, 0.01),
    # Neither the isotropic antiprism (3/8) nor the one with the widest angles (0.3664): training ends between.
    Shape("square antiprism", 8, 3, 0.03, (0.370,) * 8, 0.006),
)
"""Polytopes that trained models form."""


def run_shapes(settings: Settings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train the small tasks of `SHAPES`, several times each, and keep the best.

    Returns
    -------
    features : DataFrame
        One row for each feature: shape, n, m, density, feature, dimensionality, expected, tolerance, norm, bias, loss.
        Features are sorted by dimensionality.
    grams : DataFrame
        W'W in long format: shape, i, j, value.
    """
    features, grams = [], []
    for shape in SHAPES:
        models = train_identity(shape.n, shape.m, torch.full((settings.restarts,), shape.density), steps=settings.steps)
        best = int(models.loss.argmin())
        weight = models.weight[best].double()
        d = dimensionality(weight)
        order = d.argsort()
        gram = (weight.T @ weight)[order][:, order]
        for i, feature in enumerate(order.tolist()):
            features.append(
                {
                    "shape": shape.name,
                    "n": shape.n,
                    "m": shape.m,
                    "density": shape.density,
                    "feature": i,
                    "dimensionality": d[feature].item(),
                    "expected": sorted(shape.expected)[i],
                    "tolerance": shape.tolerance,
                    "norm": weight[:, feature].norm().item(),
                    "bias": models.bias[best, feature].item(),
                    "loss": models.loss[best].item(),
                }
            )
            grams += [{"shape": shape.name, "i": i, "j": j, "value": gram[i, j].item()} for j in range(shape.n)]
    return pd.DataFrame(features), pd.DataFrame(grams)


def run_sweep(settings: Settings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train the identity task with many equal features, from dense to sparse.

    Returns
    -------
    models : DataFrame
        One row for each model: density, seed, and the value of each measure. ``features_per_dimension`` is the truth.
    features : DataFrame
        One row for each represented feature (norm above 0.3 of the largest): density, seed, feature, norm,
        dimensionality.
    """
    n, m = settings.features, settings.dimensions
    densities = torch.tensor(settings.densities, dtype=torch.float32).repeat_interleave(len(settings.seeds))
    seeds = settings.seeds * len(settings.densities)
    trained = train_identity(n, m, densities, steps=settings.steps, seed=settings.seeds[0])
    models, features = [], []
    generator = torch.Generator().manual_seed(1)
    for weight, density, seed in zip(trained.weight.double(), densities_as_written(densities), seeds, strict=True):
        norms = weight.norm(dim=0)
        kept = norms > 0.3 * norms.max()
        vectors = weight[:, kept]
        d = dimensionality(vectors)
        x = sparse_features(TEST_BATCHES * BATCH, torch.tensor([density]), n, generator)[0]
        hidden = x.double() @ weight.T
        models.append(
            {
                "density": density,
                "seed": seed,
                "features_per_dimension": direction_sets.features_represented(weight) / m,
                "dimensionality": d.mean().item(),
                "dimensionality_ratio": (d.mean() / random_null(vectors.norm(dim=0), m, 100).mean()).item(),
                "floor_tight": tight_floor(vectors.shape[1], m),
                "interference": direction_sets.interference(vectors).mean().item(),
                "squared_cosine": direction_sets.mean_squared_cosine(vectors),
                "positive_cosine": direction_sets.positive_squared_cosine(vectors),
                "coherence": direction_sets.coherence(vectors),
                "frame_potential": direction_sets.frame_potential(vectors),
                "capacity_used": participation(torch.cov(hidden.T)) / m,
            }
        )
        features += [
            {"density": density, "seed": seed, "feature": i, "norm": norm, "dimensionality": value}
            for i, norm, value in zip(kept.nonzero().flatten().tolist(), norms[kept].tolist(), d.tolist(), strict=True)
        ]
    return pd.DataFrame(models), pd.DataFrame(features)


def write(settings: Settings, folder: Path) -> None:
    """Train the models and write ``OUTPUTS`` (`run_shapes`, `run_sweep`) into `folder`."""
    for file, table in zip(OUTPUTS, (*run_shapes(settings), *run_sweep(settings)), strict=True):
        write_csv(folder / file, table)
