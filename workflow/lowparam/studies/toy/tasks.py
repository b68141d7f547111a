"""Toy models whose superposition is known: the ground truth that the measures are calibrated on.

Elhage et al. 2022, "Toy Models of Superposition" (transformer-circuits.pub/2022/toy_model). Features x_i are zero
with probability 1 - p, else uniform. Two tasks:

- *identity*: h = W x, x' = ReLU(W' h + b), with fewer dimensions m than features n. The features become directions in
  h; in small models they form regular polytopes with known dimensionality.
- *absolute value*: h = act(V x), y = ReLU(U h + b), y_i = |x_i|. Neurons are a privileged basis, and the question is
  how many features a neuron serves.

Both sum I_i (error_i)^2 over features with importances I. All instances of a call train side by side as one batch of
matrices, with Adam and a cosine schedule.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from lowparam.files import write_text
from lowparam.interference import direction_sets
from lowparam.interference.measures.capacity_used import participation
from lowparam.interference.measures.dimensionality import dimensionality, random_null, tight_floor
from lowparam.params import Toy

__all__ = [
    "ACTIVATIONS",
    "SHAPES",
    "Absolute",
    "Identity",
    "Shape",
    "antipodal_loss",
    "boundary",
    "dedicated_loss",
    "features_per_neuron",
    "run_absolute",
    "run_phase",
    "run_shapes",
    "run_sweep",
    "sparse_features",
    "train_absolute",
    "train_identity",
    "write_absolute",
    "write_geometry",
    "write_phase",
]

LR = 5e-3
BATCH = 256
TEST_BATCHES = 80  # about 20,000 samples


@dataclass(frozen=True)
class Shape:
    """A small identity task whose best solution is known: n features in m dimensions at density p, and the D's."""

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


@dataclass(frozen=True)
class Identity:
    """Trained models of the identity task: W (J, m, n), b (J, n), and the loss on fresh samples (J,)."""

    weight: Tensor
    bias: Tensor
    loss: Tensor


@dataclass(frozen=True)
class Absolute:
    """Trained models of |x|: V (J, m, n), U (J, n, m), b (J, n), and the loss over that of answering 0 (J,)."""

    inward: Tensor
    outward: Tensor
    bias: Tensor
    loss: Tensor


def sparse_features(count: int, density: Tensor, n: int, generator: torch.Generator, *, signed: bool = False) -> Tensor:
    """Samples (J, count, n): each entry is zero with probability 1 - density_j, else uniform on [0, 1] or [-1, 1]."""
    shape = (len(density), count, n)
    values = torch.rand(shape, generator=generator)
    values = 2 * values - 1 if signed else values
    return values * (torch.rand(shape, generator=generator) < density.view(-1, 1, 1))


def train_identity(
    n: int, m: int, density: Tensor, importance: Tensor | None = None, *, steps: int = 2500, seed: int = 0
) -> Identity:
    """Train J instances of the identity task.

    Parameters
    ----------
    n, m : int
        Features and dimensions.
    density : Tensor
        Of each instance, from 0 (nothing) to 1, of shape (J,).
    importance : Tensor, optional
        Of shape (J, n); 1 by default.
    steps, seed : int
        Of the training.
    """
    generator = torch.Generator().manual_seed(seed)
    importance = torch.ones(len(density), n) if importance is None else importance
    weight = torch.randn(len(density), m, n, generator=generator) * (2 / (n + m)) ** 0.5
    bias = torch.zeros(len(density), n)

    def loss(weight: Tensor, bias: Tensor, count: int) -> Tensor:
        x = sparse_features(count, density, n, generator)
        out = F.relu(torch.baddbmm(bias[:, None], x @ weight.mT, weight))
        return (((x - out) ** 2).mean(1) * importance).sum(1)

    weight, bias = _descend(lambda w, b: loss(w, b, BATCH), (weight, bias), steps)
    return Identity(weight, bias, torch.stack([loss(weight, bias, BATCH) for _ in range(TEST_BATCHES)]).mean(0))


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "solu": lambda h: h * h.softmax(-1),
}
"""Hidden activations of the |x| task; SoLU is that of Elhage et al. 2022, "Softmax Linear Units"."""


def train_absolute(
    n: int,
    m: int,
    density: Tensor,
    activation: str,
    *,
    norm: bool,
    importance: Tensor | None = None,
    steps: int = 2500,
    seed: int = 0,
) -> Absolute:
    """Train J instances of the |x| task with a hidden activation, followed by a layer norm or not.

    The parameters are those of `train_identity`.
    """
    generator = torch.Generator().manual_seed(seed)
    importance = torch.ones(len(density), n) if importance is None else importance
    inward = torch.randn(len(density), m, n, generator=generator) * (2 / (n + m)) ** 0.5
    outward = torch.randn(len(density), n, m, generator=generator) * (2 / (n + m)) ** 0.5
    bias = torch.zeros(len(density), n)

    def losses(inward: Tensor, outward: Tensor, bias: Tensor, count: int) -> tuple[Tensor, Tensor]:
        x = sparse_features(count, density, n, generator, signed=True)
        hidden = ACTIVATIONS[activation](x @ inward.mT)
        hidden = F.layer_norm(hidden, (m,)) if norm else hidden
        out = F.relu(torch.baddbmm(bias[:, None], hidden, outward.mT))
        wanted = x.abs()
        return tuple((((wanted - y) ** 2).mean(1) * importance).sum(1) for y in (out, torch.zeros_like(out)))

    trained = _descend(lambda *values: losses(*values, BATCH)[0], (inward, outward, bias), steps)
    tests = [losses(*trained, BATCH) for _ in range(TEST_BATCHES)]
    loss, nothing = (torch.stack(part).mean(0) for part in zip(*tests, strict=True))
    return Absolute(*trained, loss / nothing)


def _descend(loss: Callable[..., Tensor], start: tuple[Tensor, ...], steps: int) -> tuple[Tensor, ...]:
    """Minimise the sum of losses (J,) with Adam; the instances do not touch each other."""
    values = [value.clone().requires_grad_() for value in start]
    optimizer = torch.optim.Adam(values, lr=LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    with torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            loss(*values).sum().backward()
            optimizer.step()
            schedule.step()
    return tuple(value.detach() for value in values)


def features_per_neuron(inward: Tensor) -> float:
    """How many features a neuron reads: participation ratio of its squared input weights, 1 if monosemantic.

    The mean over neurons, with V of shape (m, n); neurons shorter than a tenth of the longest are dead and left out.
    """
    squared = inward**2
    norms = squared.sum(1)
    alive = norms > 0.01 * norms.max()
    return (norms[alive] ** 2 / (squared[alive] ** 2).sum(1)).mean().item()


def antipodal_loss(density: float, importance: float) -> float:
    """Loss of two features of importance 1 and I on one line, at +1 and -1, to leading order: (1 + I) p^2 / 6."""
    return (1 + importance) * density**2 / 6


def dedicated_loss(density: float, importance: float) -> float:
    """Loss of one dimension for the more important feature, and the best constant for the other.

    c (p / 3 - p^2 / 4) with c = min(1, I), the importance of the feature that is left out.
    """
    return min(1.0, importance) * (density / 3 - density**2 / 4)


def boundary(importance: float) -> float:
    """Density p* below which two features share one dimension: 4 c / (2 (1 + I) + 3 c), where the losses are equal."""
    least = min(1.0, importance)
    return 4 * least / (2 * (1 + importance) + 3 * least)


def run_shapes(settings: Toy) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train the small tasks of `SHAPES`, several times each, and keep the best.

    Returns
    -------
    features : DataFrame
        A row a feature: shape, n, m, density, feature, dimensionality, expected, tolerance, norm, bias, loss. The
        features are sorted by dimensionality.
    grams : DataFrame
        W'W in long form: shape, i, j, value.
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


def run_sweep(settings: Toy) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train the identity task with many equal features, from dense to sparse.

    Returns
    -------
    models : DataFrame
        A row a model: density, seed, and what the measures say. ``features_per_dimension`` is the truth.
    features : DataFrame
        A row a represented feature (norm above 0.3 of the largest): density, seed, feature, norm, dimensionality.
    """
    n, m = settings.features, settings.dimensions
    densities = torch.tensor(settings.densities, dtype=torch.float32).repeat_interleave(len(settings.seeds))
    seeds = settings.seeds * len(settings.densities)
    trained = train_identity(n, m, densities, steps=settings.steps, seed=settings.seeds[0])
    models, features = [], []
    generator = torch.Generator().manual_seed(1)
    for weight, density, seed in zip(trained.weight.double(), _as_written(densities), seeds, strict=True):
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


def _as_written(densities: Tensor) -> list[float]:
    """Densities as they were written, not as float32 has them."""
    return [float(f"{density:.6g}") for density in densities.tolist()]


def run_phase(settings: Toy) -> pd.DataFrame:
    """Train two features in one dimension over a grid of importance and density, and keep the best of several.

    Returns
    -------
    DataFrame
        A row a cell: importance of the second feature (the first has 1), density, norms of both, ``outcome``
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


def run_absolute(settings: Toy) -> pd.DataFrame:
    """Train |x| of 20 features on 16 neurons, with importances 0.9^i, for each activation, norm and density.

    Returns
    -------
    DataFrame
        A row a model: activation, norm, density, seed, features_per_neuron, and the loss over that of answering 0.
    """
    n, m = 20, 16
    densities = torch.tensor(settings.absolute_densities, dtype=torch.float32).repeat_interleave(len(settings.seeds))
    importance = (0.9 ** torch.arange(n)).expand(len(densities), n)
    rows = []
    for activation in ACTIVATIONS:
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
                    _as_written(densities),
                    settings.seeds * len(settings.absolute_densities),
                    models.loss.tolist(),
                    strict=True,
                )
            ]
    return pd.DataFrame(rows)


def write_geometry(settings: Toy, folder: Path) -> None:
    """Write shapes.csv, grams.csv, sweep.csv and sweep_features.csv into `folder`."""
    for name, table in zip(
        ("shapes", "grams", "sweep", "sweep_features"), (*run_shapes(settings), *run_sweep(settings)), strict=True
    ):
        _write(table, folder / f"{name}.csv")


def write_phase(settings: Toy, folder: Path) -> None:
    """Write phase.csv into `folder`."""
    _write(run_phase(settings), folder / "phase.csv")


def write_absolute(settings: Toy, folder: Path) -> None:
    """Write absolute.csv into `folder`."""
    _write(run_absolute(settings), folder / "absolute.csv")


def _write(table: pd.DataFrame, path: Path) -> None:
    write_text(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
