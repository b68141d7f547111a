"""One pass over held-out images: what the one-pass measures need, in float64, in memory that the images do not fill.

Everything is summed per fold of images, so that a measure and its jackknife come from the same sums. A network runs
in float32, and some kernels treat the last few values of a batch differently from the rest. So each batch is filled
up to a multiple of 32 images; then no image's values depend on its batch, and nothing depends on the batch size.
"""

import weakref
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.data import Dataset, Files, Images, Streamed
from lowparam.data.decode import decode
from lowparam.errors import LowparamError
from lowparam.models.blocks import Site

__all__ = [
    "HeldOut",
    "Moments",
    "Pooled",
    "Statistics",
    "chosen_positions",
    "collect",
    "held_out",
    "pixels_of",
    "positions_of",
    "run",
]

MULTIPLE = 32
"""Batches are filled up to a multiple of this many images."""


@dataclass(frozen=True)
class HeldOut:
    """Held-out images, each with an index that its random positions and its fold depend on.

    Parameters
    ----------
    dataset : Dataset or Streamed
        Where the images and their normalisation come from.
    rows : ndarray
        int64 of shape (N,): rows of the validation part followed by the test part.
    labels : Tensor
        int64 of shape (N,).
    """

    dataset: Dataset | Streamed
    rows: np.ndarray
    labels: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self, index: np.ndarray) -> Tensor:
        """Normalised images (len(index), C, H, W) in float32, in the order of `index`."""
        parts, rows = (self.dataset.validation, self.dataset.test), self.rows[index]
        late = rows >= len(parts[0])
        images = torch.empty(len(rows), self.dataset.in_channels, self.dataset.size, self.dataset.size).byte()
        images[torch.from_numpy(~late)] = pixels_of(self.dataset, parts[0], rows[~late])
        images[torch.from_numpy(late)] = pixels_of(self.dataset, parts[1], rows[late] - len(parts[0]))
        return self.dataset.normalise(images)

    def spread(self, count: int) -> np.ndarray:
        """Indices of at most `count` images, evenly spread, so that a data set sorted by class serves too."""
        return np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(np.int64))


def pixels_of(dataset: Dataset | Streamed, part: Images | Files, rows: np.ndarray) -> Tensor:
    """Images of some rows of a part, uint8 (len(rows), C, H, W), decoded where they are on disk.

    Raises
    ------
    LowparamError
        If a file cannot be decoded.
    """
    if not dataset.streaming:
        return part.pixels[torch.from_numpy(rows)]
    pixels = torch.empty(len(rows), dataset.in_channels, dataset.size, dataset.size, dtype=torch.uint8)
    for place, row in enumerate(rows):
        path = Path(part[row][0])
        try:
            pixels[place] = torch.from_numpy(decode(path.read_bytes(), dataset.size, dataset.in_channels).copy())
        except (OSError, ValueError) as error:
            raise LowparamError(f"{path} is not a readable image: {error}") from error
    return pixels


def held_out(dataset: Dataset | Streamed, most: int) -> HeldOut:
    """Take at most `most` images of validation and test part together, evenly spread.

    Raises
    ------
    LowparamError
        If there are none.
    """
    labels = torch.cat([dataset.validation.labels, dataset.test.labels])
    if not len(labels):
        raise LowparamError("the data set has no validation or test images to profile on")
    rows = np.unique(np.linspace(0, len(labels) - 1, min(most, len(labels))).round().astype(np.int64))
    return HeldOut(dataset, rows, labels[torch.from_numpy(rows)])


@dataclass
class Moments:
    """Sums of a feature map's vectors at the sampled positions, per fold of images.

    ``count`` is (folds,), ``total`` is (folds, C), ``outer`` is (folds, C, C), all float64.
    """

    count: Tensor
    total: Tensor
    outer: Tensor

    @classmethod
    def empty(cls, folds: int, channels: int, device: torch.device) -> "Moments":
        zeros = lambda *shape: torch.zeros(*shape, dtype=torch.float64, device=device)  # noqa: E731
        return cls(zeros(folds), zeros(folds, channels), zeros(folds, channels, channels))

    def add(self, first: int, rack: Tensor, count: Tensor) -> None:
        """Add vectors to the folds from `first` on.

        Parameters
        ----------
        rack : Tensor
            (some folds, any number, C): each fold's vectors, filled up with zeros.
        count : Tensor
            (some folds,): how many of them are vectors.
        """
        rack, some = rack.double(), slice(first, first + len(rack))
        self.count[some] += count
        self.total[some] += rack.sum(1)
        self.outer[some].baddbmm_(rack.mT, rack)

    @property
    def channels(self) -> int:
        return self.total.shape[1]

    def covariance(self) -> Tensor:
        """Covariance (C, C) of all vectors (divided by their number)."""
        mean = self.total.sum(0) / self.count.sum()
        return self.outer.sum(0) / self.count.sum() - mean[:, None] * mean

    def deviations(self) -> tuple[Tensor, Tensor]:
        """Standard deviation of each channel (C,), and the same without each fold (folds with images, C)."""
        some = self.count > 0
        square = self.outer.diagonal(dim1=1, dim2=2)

        def deviation(count: Tensor, total: Tensor, square: Tensor) -> Tensor:
            mean = total / count[..., None]
            variance = square / count[..., None] - mean**2
            # What float64 leaves of a constant is not a variance.
            return torch.where(variance > 1e-12 * mean**2, variance, variance * 0).sqrt()

        sums = (self.count, self.total, square)
        whole = deviation(*(value.sum(0) for value in sums))
        return whole, deviation(*(value.sum(0) - value[some] for value in sums))

    def fold_covariances(self) -> Tensor:
        """Covariances (folds with images, C, C) of each fold alone, all around the mean of all images."""
        some = self.count > 0
        outer = self.outer if some.all() else self.outer[some]
        count, total = self.count[some, None], self.total[some]
        mean = (self.total.sum(0) / self.count.sum()).expand_as(total)
        # outer / count - own mean' - mean own' + mean mean', as one product of rank 2
        left = torch.stack([total, count * mean], 2)
        right = torch.stack([mean, total / count - mean], 1)
        return torch.baddbmm(outer, left, right, alpha=-1).div_(count[:, :, None])


@dataclass
class Pooled:
    """Sums over images at a stream site, per fold, all float64.

    ``images`` (folds, K): images of a class. ``total`` (folds, K, C): pooled maps by class. ``square`` (folds, C):
    their squares. ``rectified`` (folds, K, C): maps rectified before pooling. ``shuffled`` (draws, K, C): the same
    with labels shuffled. ``similarity`` (folds,): mean similarity of two positions, summed over images.
    ``direction`` (folds, C) and ``length`` (folds,): sum over images of the summed unit vectors, and of that sum's
    squared norm. ``positions``: number of positions of the map. ``stride``: height of the input over that of the map.
    """

    images: Tensor
    total: Tensor
    square: Tensor
    rectified: Tensor
    shuffled: Tensor
    similarity: Tensor
    direction: Tensor
    length: Tensor
    positions: int
    stride: float


@dataclass
class Statistics:
    """What one pass leaves behind.

    ``inputs`` and ``outputs`` map a site's name to the `Moments` of its pointwise layer's input and of its own feature
    map; ``pooled`` maps a stream site's name to `Pooled`. ``failed`` maps a site's name to why it could not be read.
    """

    images: int
    folds: int
    inputs: dict[str, Moments] = field(default_factory=dict)
    outputs: dict[str, Moments] = field(default_factory=dict)
    pooled: dict[str, Pooled] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def positions_of(x: Tensor, channels_last: bool = False) -> Tensor:
    """View a feature map as (N, positions, C): from (N, C, H, W), (N, H, W, C), (N, T, C) or (N, C)."""
    if x.dim() == 4 and not channels_last:
        x = x.permute(0, 2, 3, 1)
    return x.reshape(len(x), -1, x.shape[-1])


@lru_cache(maxsize=8192)  # all networks of a process look at the same places
def chosen_positions(count: int, most: int, image: int) -> np.ndarray:
    """Draw at most `most` of `count` positions without replacement, from a generator seeded with (count, image)."""
    if count <= most:
        return np.arange(count)
    return np.random.default_rng((count, image)).permutation(count)[:most]


def run(net: nn.Module, images: HeldOut, index: np.ndarray, device: torch.device) -> Tensor:
    """Run a network on the images of `index`, in eval mode and channels last; return the logits (len(index), K)."""
    x = images.pixels(index).to(device)
    filling = -len(x) % MULTIPLE
    x = torch.cat([x, x[-1:].expand(filling, -1, -1, -1)]).contiguous(memory_format=torch.channels_last)
    return net(x)[: len(index)]


def collect(
    net: nn.Module,
    sites: Mapping[str, Site],
    images: HeldOut,
    *,
    classes: int,
    positions: int = 32,
    folds: int = 20,
    shuffles: int = 20,
    batch_size: int = 256,
    order: np.ndarray | None = None,
) -> Statistics:
    """Pass over held-out images once and sum what the measures need.

    Image i belongs to fold i mod `folds`. Where a map has more than `positions` positions, as many are drawn for each
    image, without replacement, from a generator seeded with (number of positions, i).

    Parameters
    ----------
    net : nn.Module
        Is set to eval mode; maps (N, C, H, W) to (N, outputs).
    sites : mapping of str to Site
        Where to read.
    images : HeldOut
        What to read on.
    classes : int
        Number of classes K.
    positions, folds, shuffles : int
        Positions read from an image, groups of images, shuffles of the labels.
    batch_size : int
        Images at a time. The result does not depend on it.
    order : ndarray, optional
        The order in which images are read. The result does not depend on it.

    Returns
    -------
    Statistics
        Its size depends on the network and on `folds`, not on the number of images.
    """
    net.eval()
    device = next(net.parameters()).device
    order = np.arange(len(images)) if order is None else order
    order = order[np.argsort(order % folds, kind="stable")]  # then a batch adds to the sums of few folds
    generator = np.random.default_rng(0)
    shuffled = np.stack([generator.permutation(images.labels.numpy()) for _ in range(shuffles)])
    result = Statistics(len(images), folds)
    reader = _Reader(result, images.labels.numpy(), shuffled, classes, positions)
    with torch.no_grad(), _hooks(sites, reader):
        for start in range(0, len(order), batch_size):
            reader.start(order[start : start + batch_size])
            run(net, images, reader.index, device)
    for name in sites:
        if name not in result.outputs and name not in result.failed:
            result.failed[name] = "the module never ran"
    return result


class _Reader:
    """What the hooks call: adds one feature map of the current batch to the sums."""

    def __init__(self, result: Statistics, labels: np.ndarray, shuffled: np.ndarray, classes: int, positions: int):
        self.result, self.labels, self.shuffled = result, labels, shuffled
        self.classes, self.positions = classes, positions
        self.racks: dict[int, tuple[int, Tensor, Tensor, Tensor]] = {}
        self.seen: dict[int, tuple[weakref.ref, int, Moments]] = {}

    def start(self, index: np.ndarray) -> None:
        self.index, self.folds = index, index % self.result.folds
        self.racks.clear()
        self.seen.clear()

    def moments(self, into: dict[str, Moments], name: str, x: Tensor, channels_last: bool) -> None:
        # The input of a layer is often the very tensor that another site has read; then both share their sums.
        before = self.seen.get(id(x))
        if before is not None and before[0]() is x and before[1] == x._version:
            into[name] = before[2]
            return
        vectors = positions_of(x, channels_last)[: len(self.index)]
        if name not in into:
            into[name] = Moments.empty(self.result.folds, vectors.shape[-1], x.device)
        first, chosen, empty, count = self._rack(vectors.shape[1], x.device)
        rack = vectors.flatten(0, 1).index_select(0, chosen).index_fill_(0, empty, 0)
        into[name].add(first, rack.unflatten(0, (len(count), -1)), count)
        self.seen[id(x)] = (weakref.ref(x), x._version, into[name])

    def pool(self, name: str, x: Tensor, stride: float) -> None:
        vectors = positions_of(x)[: len(self.index)]
        count, channels = vectors.shape[1:]
        folds, classes = self.result.folds, self.classes
        if name not in self.result.pooled:
            zeros = lambda *shape: torch.zeros(*shape, dtype=torch.float64, device=x.device)  # noqa: E731
            self.result.pooled[name] = Pooled(
                images=zeros(folds, classes),
                total=zeros(folds, classes, channels),
                square=zeros(folds, channels),
                rectified=zeros(folds, classes, channels),
                shuffled=zeros(len(self.shuffled), classes, channels),
                similarity=zeros(folds),
                direction=zeros(folds, channels),
                length=zeros(folds),
                positions=count,
                stride=stride,
            )
        into = self.result.pooled[name]
        fold = torch.from_numpy(self.folds).to(x.device)
        label = torch.from_numpy(self.labels[self.index]).to(x.device)
        cell = fold * classes + label
        pooled, rectified = vectors.mean(1).double(), vectors.relu().mean(1).double()
        into.images.view(-1).index_add_(0, cell, torch.ones_like(cell, dtype=torch.float64))
        into.total.view(-1, channels).index_add_(0, cell, pooled)
        into.square.index_add_(0, fold, pooled**2)
        into.rectified.view(-1, channels).index_add_(0, cell, rectified)
        wrong = torch.from_numpy(self.shuffled[:, self.index]).to(x.device)
        into.shuffled += nn.functional.one_hot(wrong, classes).double().transpose(1, 2) @ rectified
        norm = vectors.norm(dim=2)
        to_unit = 1 / norm.clamp(min=1e-12)
        summed = torch.bmm(to_unit[:, None], vectors)[:, 0].double()
        length = (summed**2).sum(1)
        itself = ((norm * to_unit).double() ** 2).sum(1)
        into.similarity.index_add_(0, fold, (length - itself) / count**2)
        into.direction.index_add_(0, fold, summed)
        into.length.index_add_(0, fold, length)

    def _rack(self, count: int, device: torch.device) -> tuple[int, Tensor, Tensor, Tensor]:
        """Which vectors of the batch are read from maps of `count` positions.

        They are put into a rack with a row for each fold of the batch, from the first fold on. Places that stay empty
        point to the first vector, and are listed in the third; the last is the number of vectors of each fold.
        """
        if count not in self.racks:
            first, positions = int(self.folds.min()), min(count, self.positions)
            row = self.folds - first
            order = np.argsort(row, kind="stable")
            images = np.bincount(row)
            place = np.arange(len(order)) - np.repeat(np.cumsum(images) - images, images)
            rack = np.full((len(images), images.max(), positions), -1)
            drawn = np.stack([chosen_positions(count, positions, i) for i in self.index])
            rack[row[order], place] = (count * np.arange(len(row))[:, None] + drawn)[order]
            rack = torch.from_numpy(rack.ravel()).to(device)
            here = torch.from_numpy(images * positions).to(device)
            self.racks[count] = first, rack.clamp(min=0), torch.nonzero(rack < 0).flatten(), here
        return self.racks[count]


@contextmanager
def _hooks(sites: Mapping[str, Site], reader: _Reader) -> Iterator[None]:
    """Let the reader see the inputs of pointwise layers and the outputs of sites."""
    result = reader.result
    with ExitStack() as stack:
        for name, site in sites.items():
            last = isinstance(site.reader, nn.Linear)  # its input ends with the channels

            def read_output(module, inputs, output, name=name, site=site):
                if not isinstance(output, Tensor) or output.dim() < 2:
                    result.failed[name] = "its output is not a feature map"
                    return
                reader.moments(result.outputs, name, output, False)
                if site.kind == "stream":
                    before = inputs[0] if inputs and isinstance(inputs[0], Tensor) else output
                    shrinks = before.dim() == output.dim() == 4
                    reader.pool(name, output, before.shape[2] / output.shape[2] if shrinks else 1.0)

            def read_input(module, inputs, name=name, last=last):
                reader.moments(result.inputs, name, inputs[0], last)

            stack.callback(site.output.register_forward_hook(read_output).remove)
            if site.reader is not None:
                stack.callback(site.reader.register_forward_pre_hook(read_input).remove)
        yield
