"""Eigenvectors of star blocks without activation, computed from their weights.

A star layer without activation is bilinear, so each direction u of its output is a quadratic form of its input

    u · (P ((A x + a) ∘ (B x + b)) + p) = x̃ᵀ Q_u x̃,    x̃ = (x, 1),

with the symmetric interaction matrix Q_u = ½ Σ_c v_c (ã_c b̃_cᵀ + b̃_c ã_cᵀ), v = Pᵀ u, where ã_c and b̃_c are the rows
of the branches with their biases appended (Pearce et al. 2024, "Bilinear MLPs enable weight-based mechanistic
interpretability", arXiv 2410.08417, section 3). Its eigenvectors are input patterns that do not interact: the
output is the sum of eigenvalue times squared projection. No data are needed. A sum layer has no such structure, because
it is linear in x: only the last row and column of its Q_u are not zero.

The last block of a network is special: what it adds to a logit goes through the mean over positions and the
classifier only, so the spectrum of a class direction there is exact for that logit. A published DemoNet has a layer
norm before its classifier: its weights and its centring are linear, and its standard deviation is one number for each
image, the same for all classes, which is taken from the forward pass.
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from lowparam import data
from lowparam.data import Dataset
from lowparam.errors import LowparamError
from lowparam.files import write_csv
from lowparam.models.blocks import Block
from lowparam.models.build import load_weights, network_for
from lowparam.models.layers import Product
from lowparam.models.skeletons.controlled import Network
from lowparam.params import Params, Run, run_spec
from lowparam.threads import one_thread

__all__ = [
    "Spectrum",
    "analyse_network",
    "block_interactions",
    "decompose",
    "interactions",
    "is_bilinear",
    "write_bilinear",
]

TERMS = (0, 1, 2, 4, 8, 16, 32)
"""Numbers of eigenvectors that are kept for each class; all of them are added as the last one."""


def interactions(
    first: Tensor,
    second: Tensor,
    directions: Tensor,
    *,
    first_bias: Tensor | None = None,
    second_bias: Tensor | None = None,
    constants: Tensor | None = None,
) -> Tensor:
    """Compute the interaction matrices of a star layer, one for each direction of its output.

    Parameters
    ----------
    first, second : Tensor of shape (channels, d)
        Weights of the branches that are multiplied.
    directions : Tensor of shape (k, channels)
        Directions in the space of the products.
    first_bias, second_bias : Tensor of shape (channels,), optional
        Biases of the branches; zero by default.
    constants : Tensor of shape (k,), optional
        Added to the outputs.

    Returns
    -------
    Tensor of shape (k, d + 1, d + 1), float64
        Symmetric; the last row and column belong to the constant 1 that is appended to the input.
    """

    def extended(weight: Tensor, bias: Tensor | None) -> Tensor:
        last = weight.new_zeros(len(weight)) if bias is None else bias
        return torch.cat([weight, last[:, None]], dim=1).double()

    one, other = extended(first, first_bias), extended(second, second_bias)
    matrix = torch.einsum("kc,ci,cj->kij", directions.double(), one, other)
    matrix = (matrix + matrix.mT) / 2
    if constants is not None:
        matrix[:, -1, -1] += constants.double()
    return matrix


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues (k, n) by falling absolute value, and eigenvectors (k, n, n) in columns, of k symmetric matrices."""

    values: Tensor
    vectors: Tensor

    def evaluate(self, x: Tensor, terms: int | None = None) -> Tensor:
        """Evaluate the quadratic forms from their largest eigenvalues.

        Parameters
        ----------
        x : Tensor of shape (N, n - 1)
            Inputs of the layer; the constant 1 is appended here.
        terms : int, optional
            How many eigenvectors to use; all by default.

        Returns
        -------
        Tensor of shape (N, k), float64
        """
        x = torch.cat([x, x.new_ones(len(x), 1)], dim=1).double()
        projected = torch.einsum("ni,kij->nkj", x, self.vectors[..., :terms])
        return (projected.square() * self.values[:, :terms]).sum(-1)

    def effective_rank(self) -> Tensor:
        """Compute the participation ratio (Σ|λ|)² / Σλ² of each matrix, (k,), from 1 to n; NaN for a zero matrix."""
        return self.values.abs().sum(-1).square() / self.values.square().sum(-1)

    def share(self, terms: int) -> Tensor:
        """Compute the share of the squared Frobenius norm in the largest eigenvalues, (k,), from 0 to 1."""
        squares = self.values.square()
        return squares[:, :terms].sum(-1) / squares.sum(-1)

    def positive_share(self) -> Tensor:
        """Compute the share of the squared Frobenius norm in eigenvalues above 0, (k,), from 0 to 1."""
        squares = self.values.square()
        return (squares * (self.values > 0)).sum(-1) / squares.sum(-1)


def decompose(matrices: Tensor) -> Spectrum:
    """Eigendecompose symmetric matrices (k, n, n)."""
    values, vectors = torch.linalg.eigh(matrices.double())
    order = values.abs().argsort(dim=-1, descending=True, stable=True)
    return Spectrum(values.gather(-1, order), vectors.gather(-1, order[:, None, :].expand_as(vectors)))


def is_bilinear(block: nn.Module) -> bool:
    """Return whether a block multiplies two branches without an activation, followed by nothing but a projection."""
    return (
        isinstance(block, Block)
        and all(hasattr(block, name) for name in ("first", "second", "act", "join", "project", "depthwise"))
        and isinstance(block.join, Product)
        and all(isinstance(part, nn.Identity) for part in (block.act, block.on_branch, block.after_sum))
    )


def block_interactions(block: Block, directions: Tensor) -> Tensor:
    """Compute the interaction matrices of a DemoNet block without activation.

    Parameters
    ----------
    block : Block
        A block for which `is_bilinear` holds.
    directions : Tensor of shape (k, out_channels)
        Directions in the space of the block's output.

    Returns
    -------
    Tensor of shape (k, d + 1, d + 1), float64
        Quadratic forms of the depthwise convolution's output at one position. Their values are the projections of what
        the block adds to the stream there, layer scale included, on the directions.

    Raises
    ------
    LowparamError
        If the block is not bilinear.
    """
    if not is_bilinear(block):
        raise LowparamError(f"{type(block).__name__} is not bilinear: it must multiply two branches without activation")
    layers: Any = block
    directions = directions.double()
    if block.residual:
        directions = directions * layers.scale.gamma.detach().double().flatten()
    project = layers.project.weight.detach().double().flatten(1)
    return interactions(
        layers.first.weight.detach().flatten(1),
        layers.second.weight.detach().flatten(1),
        directions @ project,
        first_bias=layers.first.bias.detach(),
        second_bias=layers.second.bias.detach(),
        constants=directions @ layers.project.bias.detach().double(),
    )


def last_block(net: Network) -> Any:
    """Return the last block of the last stage."""
    stages: Any = net.stages
    return stages[-1][-1]


@torch.no_grad()
def analyse_network(net: Network, dataset: Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decompose the last block of a network by class, and measure the accuracy that a few eigenvectors reach.

    Parameters
    ----------
    net : Network
        A network whose last block `is_bilinear`, with a linear classifier after the mean over positions, or after a
        layer norm of that mean.
    dataset : Dataset
        Accuracy is measured on its test images.

    Returns
    -------
    classes : DataFrame
        One row for each class: ``channels`` (d), ``effective_rank``, ``share_1`` and ``share_4`` (of the squared norm
        in the largest 1 and 4 eigenvalues), ``positive_share``, and ``error``: the largest difference between the sum
        over all eigenvectors and the block itself on the test images, relative to the largest value.
    accuracies : DataFrame
        One row for each number of eigenvectors kept for each class, ``terms``: ``accuracy`` on the test images, and
        ``explained``: the share that they explain of the variance over images of what the block adds to the logits.

    Raises
    ------
    LowparamError
        If the network is not of this kind.
    """
    net = copy.deepcopy(net).double().eval()
    block = last_block(net)
    head = getattr(net, "head", nn.Identity())
    if not isinstance(net.classifier, nn.Linear) or not isinstance(head, nn.Identity | nn.LayerNorm):
        raise LowparamError(
            "eigenvectors of a class need a linear classifier, or a layer norm and one, after the mean over positions"
        )
    weight, bias = net.classifier.weight, net.classifier.bias
    if isinstance(head, nn.LayerNorm):
        bias = bias + weight @ head.bias
        weight = weight * head.weight
        weight = weight - weight.mean(1, keepdim=True)
    # What all classes have in common does not change the prediction.
    directions, bias = weight - weight.mean(0), bias - bias.mean()
    spectrum = decompose(block_interactions(block, directions))

    seen: dict[str, Tensor] = {}
    handles = [
        block.depthwise.register_forward_hook(lambda _, __, output: seen.update(inner=output)),
        block.scale.register_forward_hook(lambda _, __, output: seen.update(added=output)),
        block.register_forward_hook(lambda _, inputs, output: seen.update(before=inputs[0], after=output)),
    ]
    try:
        net(dataset.normalise(dataset.test.pixels).double())
    finally:
        for handle in handles:
            handle.remove()
    images, _, height, width = seen["inner"].shape
    inner = seen["inner"].movedim(1, -1).flatten(0, 2)

    def added(terms: int | None) -> Tensor:
        """Compute what the block adds to the logits, (images, classes), from the largest eigenvectors."""
        return spectrum.evaluate(inner, terms).view(images, height * width, -1).mean(1)

    passed = seen["before"].mean((2, 3)) @ directions.T if block.residual else 0
    truth = seen["added"].mean((2, 3)) @ directions.T
    error = (added(None) - truth).abs().amax(0) / truth.abs().amax(0)
    classes = pd.DataFrame(
        {
            "class": dataset.classes,
            "channels": inner.shape[1],
            "effective_rank": spectrum.effective_rank(),
            "share_1": spectrum.share(1),
            "share_4": spectrum.share(4),
            "positive_share": spectrum.positive_share(),
            "error": error,
        }
    )
    size = spectrum.values.shape[-1]
    if isinstance(head, nn.LayerNorm):
        scale = (seen["after"].mean((2, 3)).var(1, correction=0) + head.eps).rsqrt()[:, None]
    else:
        scale = 1
    spread = (scale * truth - (scale * truth).mean(0)).square().sum()
    rows = []
    for terms in (*(count for count in TERMS if count < size), size):
        part = added(terms)
        right = (scale * (passed + part) + bias).argmax(1) == dataset.test.labels
        left = scale * (truth - part)
        left = left - left.mean(0)
        rows.append({"terms": terms, "accuracy": _share(right), "explained": float(1 - left.square().sum() / spread)})
    return classes, pd.DataFrame(rows)


@one_thread()
def write_bilinear(params: Params, experiment: str, *, data_folder: Path, folder: Path) -> None:
    """Analyse every network of an experiment whose last block is bilinear, trained and untrained.

    Writes ``bilinear.csv`` and ``bilinear_accuracy.csv`` (`analyse_network`) into `folder`, with columns for the
    run first, then ``trained``.

    Raises
    ------
    LowparamError
        If the experiment has no such network, if its runs are missing, or if its images are streamed.
    """
    dataset = data.load(data_folder)
    if not isinstance(dataset, Dataset):
        raise LowparamError(f"eigenvectors need images in memory, and those of experiment {experiment} are streamed")
    shape = {"classes": len(dataset.classes), "in_channels": dataset.in_channels, "size": dataset.size}
    tables: dict[str, list[pd.DataFrame]] = {"bilinear": [], "bilinear_accuracy": []}
    for run in params.runs(experiment):
        torch.manual_seed(run.seed)
        net = network_for(run_spec(params, run), **shape)
        if not is_bilinear(last_block(net)):
            continue
        for trained in (False, True):
            if trained:
                load_weights(net, run.folder / "model.safetensors")
            for name, table in zip(tables, analyse_network(net, dataset), strict=True):
                tables[name].append(_named(table, run, trained))
    if not tables["bilinear"]:
        raise LowparamError(
            f"experiment {experiment} has no network without activation whose last block multiplies two branches; "
            "add demonet_star_noact to its architectures"
        )
    for name, parts in tables.items():
        write_csv(folder / f"{name}.csv", pd.concat(parts))


def _named(table: pd.DataFrame, run: Run, trained: bool) -> pd.DataFrame:
    scale = run.scale
    names = {"architecture": scale.label, "budget": scale.name.rsplit("-", 1)[1], "seed": run.seed}
    for place, (key, value) in enumerate({**names, "trained": trained}.items()):
        table.insert(place, key, value)
    return table


def _share(right: Tensor) -> float:
    return float(right.double().mean())
