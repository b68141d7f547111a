"""The decision boundaries of star and sum networks on two moons, next to those of support vector machines.

Ma et al. 2024, arXiv 2403.19967, section 3.4.2 and figures 4 to 7, settings of table 11, details from the authors'
code. A network on the plane learns 100 noisy points; its boundary is compared with those of two support vector
machines, with a polynomial and with a Gaussian kernel.

Two things follow the authors' code and not the text. LayerNorm stays in the network, and the reported accuracy is the
best over the epochs, while the boundary that is drawn is that of the last weights. Here both accuracies are computed,
and the accuracy on fresh points, which the paper does not report.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from sklearn.datasets import make_moons
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn import functional as F

from lowparam.errors import LowparamError
from lowparam.files import atomic, write_csv
from lowparam.studies.star.settings import Settings
from lowparam.threads import one_thread

__all__ = [
    "MoonsNet",
    "Points",
    "evaluation_grid",
    "fit_svms",
    "run_moons",
    "train_net",
    "training_points",
    "write",
]

OUTPUTS = ("moons.csv", "moons_grid.safetensors")
SETTINGS = ("placements", "seeds", "grid_step", "fresh_points")

DEPTH, WIDTH, BRANCH = 4, 100, 300
EPOCHS, BATCH = 30, 32
LR, MIN_LR, MOMENTUM, WEIGHT_DECAY = 0.1, 0.005, 0.9, 2e-4
LABEL_SMOOTHING, CLIP_NORM = 0.1, 1.0
NOISE = 0.4
X_RANGE, Y_RANGE = (-2.0, 3.0), (-2.0, 2.5)
OPERATORS = {"S": torch.mul, "+": torch.add}


class MoonsBlock(nn.Module):
    """LayerNorm, Linear to two branches, activation of the first, star or sum, Linear, shortcut."""

    def __init__(self, operator: str, activation: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.expand = nn.Linear(WIDTH, 2 * BRANCH)
        self.act = nn.ReLU() if activation else nn.Identity()
        self.join = OPERATORS[operator]
        self.project = nn.Linear(BRANCH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.expand(self.norm(x)).chunk(2, dim=-1)
        return x + self.project(self.join(self.act(first), second))


class MoonsNet(nn.Module):
    """DemoNet for points of the plane: Linear 2 to 100, four blocks, LayerNorm, Linear 100 to 2; 364,302 parameters.

    Weights are drawn from a normal distribution of standard deviation 0.02, biases are 0.

    Parameters
    ----------
    operators : str
        One sign for each block, ``S`` for star or ``+`` for sum, such as ``SS++``.
    activation : bool
        Whether the first branch of a block goes through ReLU.

    Raises
    ------
    LowparamError
        If `operators` is not four of these signs.
    """

    def __init__(self, operators: str, *, activation: bool = True) -> None:
        super().__init__()
        if len(operators) != DEPTH or not set(operators) <= set(OPERATORS):
            raise LowparamError(f"operators must be {DEPTH} signs of S and +, such as SS++, not {operators!r}")
        self.stem = nn.Linear(2, WIDTH)
        self.blocks = nn.Sequential(*(MoonsBlock(operator, activation) for operator in operators))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, 2)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map points (N, 2) to logits (N, 2)."""
        return self.head(self.norm(self.blocks(self.stem(x))))


@dataclass(frozen=True)
class Points:
    """Points of the plane, (N, 2) float32, with labels (N,) of 0 and 1."""

    x: Tensor
    y: Tensor


def training_points(count: int = 100, random_state: int = 0) -> Points:
    """Draw the paper's training points: scikit-learn's moons with noise 0.4."""
    x, y = make_moons(n_samples=count, noise=NOISE, random_state=random_state)
    return Points(torch.from_numpy(x).float(), torch.from_numpy(y))


def evaluation_grid(step: float = 0.02) -> tuple[Tensor, tuple[int, int]]:
    """Return the paper's grid over [-2, 3) x [-2, 2.5).

    Returns
    -------
    points : Tensor of shape (columns * rows, 2)
        The first coordinate changes slowest.
    shape : (columns, rows)
        (250, 225) at the paper's step of 0.02.
    """
    # Whole steps, because a range of floats may hold one point more or less.
    x, y = (low + step * torch.arange(round((high - low) / step)) for low, high in (X_RANGE, Y_RANGE))
    return torch.cartesian_prod(x, y), (len(x), len(y))


def fit_svms(points: Points) -> dict[str, SVC]:
    """Fit the paper's support vector machines: a polynomial and a Gaussian kernel, with C = 1."""
    machines = {
        "svm_poly": SVC(kernel="poly", degree=4, coef0=4, gamma="scale"),
        "svm_rbf": SVC(kernel="rbf", gamma=4),
    }
    return {name: machine.fit(points.x.numpy(), points.y.numpy()) for name, machine in machines.items()}


def train_net(operators: str, *, activation: bool, seed: int, points: Points) -> tuple[MoonsNet, list[float]]:
    """Train one network as published.

    SGD with momentum, a cosine schedule by epoch, batches of 32 (the last, incomplete one is dropped), label smoothing
    and gradient clipping at norm 1.

    Returns
    -------
    net : MoonsNet
        With the weights of the last epoch.
    accuracies : list of float
        Accuracy on all training points after each epoch, in [0, 1].
    """
    order = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = MoonsNet(operators, activation=activation)
    optimizer = torch.optim.SGD(net.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS, eta_min=MIN_LR)
    accuracies = []
    for _ in range(EPOCHS):
        shuffled = torch.randperm(len(points.y), generator=order)
        for start in range(0, len(shuffled) - BATCH + 1, BATCH):
            batch = shuffled[start : start + BATCH]
            loss = F.cross_entropy(net(points.x[batch]), points.y[batch], label_smoothing=LABEL_SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), CLIP_NORM)
            optimizer.step()
        schedule.step()
        accuracies.append(float((predict(net, points.x) == points.y.numpy()).mean()))
    return net, accuracies


@torch.no_grad()
def predict(net: MoonsNet, x: Tensor) -> NDArray:
    """Predict the labels (N,) of points (N, 2)."""
    return torch.cat([net(part).argmax(1) for part in x.split(4096)]).numpy()


def run_moons(
    nets: list[tuple[str, bool]], *, seeds: list[int], grid_step: float = 0.02, fresh: int = 10_000
) -> tuple[pd.DataFrame, dict[str, NDArray]]:
    """Train every network with every seed and compare the boundaries.

    Parameters
    ----------
    nets : list of (operators, activation)
        As in `MoonsNet`.
    seeds : list of int
        Seeds of initialisation and shuffling; the training points are always the same.
    grid_step : float
        Distance between the grid points where boundaries are compared; 0.02 in the paper.
    fresh : int
        Number of new points from the same distribution.

    Returns
    -------
    results : DataFrame
        One row for each network and seed, and for each support vector machine (seed -1): ``net``, ``activation``,
        ``seed``, ``parameters``, ``train_best``, ``train_last``, ``fresh``, ``agree_svm_poly``, ``agree_svm_rbf``, all
        shares in [0, 1]. An agreement is the share of grid points with the same label.
    grids : dict of uint8 arrays (rows, columns)
        By ``<operators>-<relu or none>``, the number of seeds whose network gives a grid point label 1; by
        ``svm_poly`` and ``svm_rbf`` their labels.
    """
    points, new = training_points(), training_points(fresh, random_state=1)
    grid, shape = evaluation_grid(grid_step)
    machines = fit_svms(points)
    drawn = {name: machine.predict(grid.numpy()) for name, machine in machines.items()}
    rows = []

    def record(name: str, activation: str, seed: int, count: int, best: float, last: float, labels: dict) -> None:
        agreement = {f"agree_{svm}": float((labels["grid"] == drawn[svm]).mean()) for svm in machines}
        rows.append(
            {
                "net": name,
                "activation": activation,
                "seed": seed,
                "parameters": count,
                "train_best": best,
                "train_last": last,
                "fresh": float((labels["fresh"] == new.y.numpy()).mean()),
                **agreement,
            }
        )

    votes: dict[str, NDArray] = {}
    with one_thread():
        for operators, activation in nets:
            kind = "relu" if activation else "none"
            total = np.zeros(len(grid), dtype=np.uint8)
            for seed in seeds:
                net, accuracies = train_net(operators, activation=activation, seed=seed, points=points)
                labels = {"grid": predict(net, grid), "fresh": predict(net, new.x)}
                count = sum(p.numel() for p in net.parameters())
                record(operators, kind, seed, count, max(accuracies), accuracies[-1], labels)
                total += labels["grid"].astype(np.uint8)
            votes[f"{operators}-{kind}"] = total
    for name, machine in machines.items():
        labels = {"grid": drawn[name], "fresh": machine.predict(new.x.numpy())}
        accuracy = float(machine.score(points.x.numpy(), points.y.numpy()))
        record(name, "none", -1, 0, accuracy, accuracy, labels)
        votes[name] = drawn[name].astype(np.uint8)
    return pd.DataFrame(rows), {name: np.ascontiguousarray(v.reshape(shape).T) for name, v in votes.items()}


def write(settings: Settings, folder: Path) -> None:
    """Train the networks and write ``moons.csv`` and ``moons_grid.safetensors`` (`run_moons`) into `folder`.

    The networks are those of ``settings.placements`` with ReLU, and star and sum alone without an activation.
    """
    nets = [*((placement, True) for placement in settings.placements), ("++++", False), ("SSSS", False)]
    results, grids = run_moons(nets, seeds=settings.seeds, grid_step=settings.grid_step, fresh=settings.fresh_points)
    write_csv(folder / "moons.csv", results)
    with atomic(folder / "moons_grid.safetensors") as temporary:
        save_file(grids, temporary)
