"""M5, sparse autoencoders: how many sparse features a feature map represents, where that is identifiable.

The count is that of Bereska et al. 2025 (arXiv 2512.13568): F = exp(entropy) of the mean activations of the features of
an autoencoder z = ReLU(E x + b), x' = E' z, tied and not normalised. Taken alone it misleads: Gaussian data without
any features give F = 2 m in m dimensions, the same as two features per dimension, and beyond that F falls back to 2 m.
So three more autoencoders are trained: with another seed, with twice the dictionary, and on Gaussian data of
the same covariance. F is given only if the two seeds find the same features, the dictionary does not matter, and the
data are sparser than Gaussian ones; else it is not identifiable, and the note says why.

Inputs are centred and scaled to a mean squared length of m; the loss is the squared error per dimension plus
PENALTY * size / (4 m) * mean |z|. With these choices and 8,000 steps the count is right on toy models.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.measurement import Value, undefined
from lowparam.interference.one_pass import chosen_positions, positions_of, run
from lowparam.models.blocks import Site

__all__ = ["Autoencoder", "agreement", "gaussian_like", "measure", "measure_site", "sample", "standardise", "train"]

PLACE = 120
NEEDS = ("pooled", "network")
VALUES = {
    "sae_features": {
        "means": "F: exp(entropy) of the mean activity of an autoencoder's features, where the gates pass",
        "range": "1 to 4 m",
        "null": "Gaussian data of the same covariance",
        "at": "projection, reduction or stream (ends of stages)",
    },
    "sae_agreement": {
        "means": "how well two seeds agree on the features: mean of the largest cosine, weighted by activity",
        "range": "-1 to 1",
        "null": "none",
        "at": "projection, reduction or stream (ends of stages)",
    },
    "sae_sparsity_gain": {
        "means": "mean number of active features on Gaussian data over that on the data",
        "range": "above 0",
        "null": "1",
        "at": "projection, reduction or stream (ends of stages)",
    },
    "sae_unexplained": {
        "means": "share of the variance that the autoencoder does not explain",
        "range": "0 or more",
        "null": "Gaussian data of the same covariance",
        "at": "projection, reduction or stream (ends of stages)",
    },
    "sae_alive": {
        "means": "features that are ever active",
        "range": "0 to 4 m",
        "null": "Gaussian data of the same covariance",
        "at": "projection, reduction or stream (ends of stages)",
    },
}
SUMMARY = {
    "sae_features": {
        "place": 240,
        "value": "sae_features",
        "means": "mean F where it is identifiable",
    },
    "sae_agreement": {
        "place": 250,
        "value": "sae_agreement",
        "means": "mean agreement of two seeds",
    },
    "sae_sparsity_gain": {
        "place": 260,
        "value": "sae_sparsity_gain",
        "means": "mean gain in sparsity over Gaussian data",
    },
}

PENALTY, LR, BATCH = 1.0, 1e-3, 128
VECTORS = 20_000
AGREE, DICTIONARY_MOVES, SPARSER = 0.9, 0.1, 0.7
"""Gates: least agreement of two seeds, most that F moves with the dictionary, most L0 over that of Gaussian data."""


@dataclass(frozen=True)
class Autoencoder:
    """A trained dictionary (size, m), and what it makes of its data.

    ``activity`` (size,) is the mean activation of a feature, ``l0`` the mean number of active features, ``fvu`` the
    share of the variance that is not explained.
    """

    dictionary: Tensor
    activity: Tensor
    l0: float
    fvu: float

    @property
    def features(self) -> float:
        """F, from 1 to the size of the dictionary."""
        share = self.activity / self.activity.sum()
        return math.exp(torch.special.entr(share).sum().item())

    @property
    def alive(self) -> int:
        """Features that are ever active."""
        return int((self.activity > 0).sum())


def standardise(x: Tensor) -> tuple[Tensor, float]:
    """Centre vectors (N, m), scale them to a mean squared length of m, and return them and the factor."""
    x = x - x.mean(0)
    factor = (1 / (x**2).mean()).sqrt().item()
    return x * factor, factor


def gaussian_like(x: Tensor, seed: int = 0) -> Tensor:
    """Return Gaussian vectors with the number, mean and covariance of x (N, m)."""
    values, vectors = torch.linalg.eigh(torch.cov(x.double().T))
    root = vectors * values.clamp(min=0).sqrt()
    noise = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (noise @ root.T).to(x) + x.mean(0)


def train(x: Tensor, size: int, *, steps: int = 8000, seed: int = 0) -> Autoencoder:
    """Train an autoencoder of `size` features on standardised vectors (N, m)."""
    generator = torch.Generator().manual_seed(seed)
    m = x.shape[1]
    dictionary = (torch.randn(size, m, generator=generator) / m**0.5).requires_grad_()
    bias = torch.zeros(size, requires_grad=True)
    optimizer = torch.optim.Adam([dictionary, bias], lr=LR)
    with torch.enable_grad():
        for _ in range(steps):
            batch = x[torch.randint(len(x), (BATCH,), generator=generator)]
            z = torch.addmm(bias, batch, dictionary.T).relu()
            error = ((batch - z @ dictionary) ** 2).mean()
            loss = error + PENALTY * size / (4 * m) * z.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        z = torch.addmm(bias, x, dictionary.T).relu()
        fvu = ((x - z @ dictionary) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
        return Autoencoder(dictionary.detach(), z.mean(0), (z > 0).float().sum(1).mean().item(), fvu.item())


def agreement(first: Autoencoder, second: Autoencoder) -> float:
    """Return the mean over features of the first, weighted by activity, of the largest cosine to one of the second."""
    alive = second.activity > 0
    if not alive.any() or not first.alive:
        return float("nan")
    unit = nn.functional.normalize(first.dictionary, dim=1) @ nn.functional.normalize(second.dictionary[alive], dim=1).T
    return (unit.max(1)[0] @ first.activity / first.activity.sum()).item()


def sample(context: Context, site: Site) -> Tensor:
    """Return vectors (at most about VECTORS, C) of a feature map, at random positions of evenly spaced images."""
    positions = context.settings.positions
    index = spread(context.images, max(1, VECTORS // positions))
    vectors: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        maps = positions_of(output)[: len(rows)].cpu()
        places = [chosen_positions(maps.shape[1], positions, i) for i in rows]
        vectors.append(maps[torch.arange(len(rows))[:, None], torch.from_numpy(np.stack(places))].flatten(0, 1))

    with torch.no_grad(), site.output.register_forward_hook(keep):
        for start in range(0, len(index), 256):
            rows = index[start : start + 256]
            run(context.net, context.images, rows, context.device)
    return torch.cat(vectors)


def measure(context: Context) -> list[Value]:
    """Train the autoencoders of the last projection, reduction, or else stream, of each stage that figures show."""
    values = []
    for name in context.last_stage_sites:
        vectors = sample(context, context.sites[name])
        values += measure_site(name, context.sites[name], vectors, steps=context.settings.sae_steps)
    return values


def measure_site(name: str, site: Site, vectors: Tensor, *, steps: int) -> list[Value]:
    """Return F with its gates, the agreement of two seeds, the gain in sparsity over Gaussian data, and the fit.

    Parameters
    ----------
    name, site
        A site.
    vectors : Tensor
        float32 of shape (N, m), as `sample` returns them.
    steps : int
        Steps of each of the four trainings.
    """
    m = vectors.shape[1]
    shape = {"site": name, "kind": site.kind, "n": 4 * m, "m": m}
    if not torch.isfinite(vectors).all():
        return [undefined("sae_features", "activations are not finite", **shape)]
    if not vectors.std(0).any():
        return [undefined("sae_features", "no channel varies over the images", **shape)]
    x, factor = standardise(vectors)
    first, second = (train(x, 4 * m, steps=steps, seed=seed) for seed in (0, 1))
    double = train(x, 8 * m, steps=steps)
    gauss = train(standardise(gaussian_like(x))[0], 4 * m, steps=steps)
    together = agreement(first, second)
    reasons = []
    if not together >= AGREE:
        reasons.append(f"two seeds agree to {together:.2f} only")
    if abs(double.features / first.features - 1) >= DICTIONARY_MOVES:
        reasons.append(f"twice the dictionary gives {double.features:.1f} instead of {first.features:.1f}")
    if first.l0 > SPARSER * gauss.l0:
        reasons.append(f"L0 is {first.l0:.2f}, and {gauss.l0:.2f} for Gaussian data")
    setting = f"dictionary {4 * m}, penalty {PENALTY:g}, inputs times {factor:.3g}, {len(x)} vectors"
    features = (
        undefined("sae_features", "not identifiable: " + "; ".join(reasons), null=gauss.features, **shape)
        if reasons
        else Value("sae_features", value=first.features, null=gauss.features, note=setting, **shape)
    )
    return [
        features,
        Value("sae_agreement", value=together, note=setting, **shape),
        Value("sae_sparsity_gain", value=gauss.l0 / first.l0, null=1.0, **shape)
        if first.l0
        else undefined("sae_sparsity_gain", "no feature is ever active", **shape),
        Value("sae_unexplained", value=first.fvu, null=gauss.fvu, **shape),
        Value("sae_alive", value=first.alive, null=gauss.alive, **shape),
    ]
