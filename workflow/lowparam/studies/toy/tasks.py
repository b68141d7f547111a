"""The two tasks of the toy models, and their training.

Features x_i are zero with probability 1 - p, else uniform.

- *identity*: h = W x, x' = ReLU(W' h + b), with fewer dimensions m than features n. The features become directions in
  h; in small models they form regular polytopes with known dimensionality.
- *absolute value*: h = act(V x), y = ReLU(U h + b), y_i = |x_i|. Neurons are a privileged basis, and the question is
  how many features a neuron responds to.

The loss is the sum of I_i (error_i)^2 over features with importances I. All instances of a call are trained as one
batch of matrices, with Adam and a cosine schedule.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "BATCH",
    "HIDDEN_ACTIVATIONS",
    "TEST_BATCHES",
    "Absolute",
    "Identity",
    "densities_as_written",
    "sparse_features",
    "train_absolute",
    "train_identity",
]

LR = 5e-3
BATCH = 256
TEST_BATCHES = 80  # about 20,000 samples


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
    """Draw samples (J, count, n): zero with probability 1 - density_j, else uniform on [0, 1] or [-1, 1]."""
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
    density : Tensor of shape (J,)
        Probability that a feature is not zero, for each instance, from 0 to 1.
    importance : Tensor of shape (J, n), optional
        Weight of each feature in the loss; 1 by default.
    steps : int
        Training steps.
    seed : int
        Seed of the initial weights and of the samples.
    """
    generator = torch.Generator().manual_seed(seed)
    importance = torch.ones(len(density), n) if importance is None else importance
    weight = torch.randn(len(density), m, n, generator=generator) * (2 / (n + m)) ** 0.5
    bias = torch.zeros(len(density), n)

    def loss(weight: Tensor, bias: Tensor) -> Tensor:
        x = sparse_features(BATCH, density, n, generator)
        out = F.relu(torch.baddbmm(bias[:, None], x @ weight.mT, weight))
        return (((x - out) ** 2).mean(1) * importance).sum(1)

    weight, bias = _descend(loss, (weight, bias), steps)
    return Identity(weight, bias, torch.stack([loss(weight, bias) for _ in range(TEST_BATCHES)]).mean(0))


HIDDEN_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
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
    """Train J instances of the |x| task.

    Parameters
    ----------
    n, m, density, importance, steps, seed
        As in `train_identity`.
    activation : str
        Hidden activation, a key of `HIDDEN_ACTIVATIONS`.
    norm : bool
        Whether a layer norm follows the activation.
    """
    generator = torch.Generator().manual_seed(seed)
    importance = torch.ones(len(density), n) if importance is None else importance
    inward = torch.randn(len(density), m, n, generator=generator) * (2 / (n + m)) ** 0.5
    outward = torch.randn(len(density), n, m, generator=generator) * (2 / (n + m)) ** 0.5
    bias = torch.zeros(len(density), n)

    def losses(inward: Tensor, outward: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of the model, and that of answering 0."""
        x = sparse_features(BATCH, density, n, generator, signed=True)
        hidden = HIDDEN_ACTIVATIONS[activation](x @ inward.mT)
        hidden = F.layer_norm(hidden, (m,)) if norm else hidden
        out = F.relu(torch.baddbmm(bias[:, None], hidden, outward.mT))
        target = x.abs()
        of_model, of_zero = ((((target - y) ** 2).mean(1) * importance).sum(1) for y in (out, torch.zeros_like(out)))
        return of_model, of_zero

    inward, outward, bias = _descend(lambda *values: losses(*values)[0], (inward, outward, bias), steps)
    tests = [losses(inward, outward, bias) for _ in range(TEST_BATCHES)]
    of_model, of_zero = (torch.stack(batches).mean(0) for batches in zip(*tests, strict=True))
    return Absolute(inward, outward, bias, of_model / of_zero)


def _descend(loss: Callable[..., Tensor], start: tuple[Tensor, ...], steps: int) -> tuple[Tensor, ...]:
    """Minimise the sum of the losses (J,) with Adam; the instances do not depend on each other."""
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


def densities_as_written(densities: Tensor) -> list[float]:
    """Return densities with the digits that params.yaml has, without the rounding error of float32."""
    return [float(f"{density:.6g}") for density in densities.tolist()]
