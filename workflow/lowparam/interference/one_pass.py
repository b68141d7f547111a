"""Pass over the images once, with hooks at the sites, and sum what measures need in memory of a fixed size.

Everything is summed per fold of images, so that a measure and its jackknife come from the same sums. A network runs in
float32, and some kernels treat the last few values of a batch differently from the rest. So each batch is padded to a
multiple of 32 images. Then the sums depend on neither batch size nor order, up to the rounding of float32 in kernels
that are chosen by batch size (fast layers: 2e-8 of the largest value on an AMD EPYC, below 1e-10 on an Intel Xeon).
"""

import weakref
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.interference.held_out import MeasuredImages
from lowparam.interference.sums import Moments, Pooled, Statistics
from lowparam.models.blocks import Site

__all__ = ["Batch", "OwnSums", "chosen_positions", "collect", "positions_of", "run", "run_all"]

MULTIPLE = 32
"""Batches are padded to a multiple of this many images."""


@dataclass(frozen=True)
class Batch:
    """The images of a batch: ``index``, ``labels`` and ``folds`` are int64 of shape (N,), on the network's device."""

    index: Tensor
    labels: Tensor
    folds: Tensor


class OwnSums(Protocol):
    """Sums that a measure defines itself (class ``Sums`` of its file)."""

    def add(self, name: str, site: Site, maps: Tensor, batch: Batch) -> None:
        """Add the feature map (N, positions, C) of a site, float32."""
        ...


def positions_of(x: Tensor, channels_last: bool = False) -> Tensor:
    """View a feature map as (N, positions, C): from (N, C, H, W), (N, H, W, C), (N, T, C) or (N, C)."""
    if x.dim() == 4 and not channels_last:
        x = x.permute(0, 2, 3, 1)
    return x.reshape(len(x), -1, x.shape[-1])


@lru_cache(maxsize=8192)  # all networks of a process are read at the same positions
def chosen_positions(count: int, most: int, image: int) -> np.ndarray:
    """Draw at most `most` of `count` positions without replacement, from a generator seeded with (count, image)."""
    if count <= most:
        return np.arange(count)
    return np.random.default_rng((count, image)).permutation(count)[:most]


def run(net: nn.Module, images: MeasuredImages, index: np.ndarray, device: torch.device) -> Tensor:
    """Run a network on the images of `index`, channels last, and return the logits (len(index), K)."""
    x = images.pixels(index).to(device)
    padding = -len(x) % MULTIPLE
    x = torch.cat([x, x[-1:].expand(padding, -1, -1, -1)]).contiguous(memory_format=torch.channels_last)
    return net(x)[: len(index)]


@torch.no_grad()
def run_all(net: nn.Module, images: MeasuredImages, index: np.ndarray, device: torch.device) -> Tensor:
    """Return the logits of the images of `index`, 256 at a time, in float64 on the CPU, of shape (len(index), K)."""
    return torch.cat(
        [run(net, images, index[start : start + 256], device).double().cpu() for start in range(0, len(index), 256)]
    )


def collect(
    net: nn.Module,
    sites: Mapping[str, Site],
    images: MeasuredImages,
    *,
    positions: int = 32,
    folds: int = 20,
    own: Sequence[OwnSums] = (),
    batch_size: int = 256,
    order: np.ndarray | None = None,
) -> Statistics:
    """Pass over the images once and sum what the measures need.

    Image i belongs to fold i mod `folds`. Where a map has more than `positions` positions, as many are drawn for each
    image, without replacement, from a generator seeded with (number of positions, i).

    Parameters
    ----------
    net : nn.Module
        Is set to eval mode; maps (N, C, H, W) to (N, outputs).
    sites : mapping of str to Site
        Where to read.
    images : MeasuredImages
        What to read on.
    positions, folds : int
        Positions read from an image; groups of images.
    own : sequence of OwnSums
        Sums that measures define themselves; they are shown every position.
    batch_size : int
        Images at a time.
    order : ndarray, optional
        The order in which images are read.

    Returns
    -------
    Statistics
        Its size depends on the network and on `folds`, not on the number of images.
    """
    net.eval()
    device = next(net.parameters()).device
    order = np.arange(len(images)) if order is None else order
    order = order[np.argsort(order % folds, kind="stable")]  # then a batch adds to the sums of few folds
    result = Statistics(len(images), folds)
    reader = _Reader(result, images.labels.numpy(), len(images.classes), positions, own, device)
    with torch.no_grad(), _hooks(sites, reader):
        for start in range(0, len(order), batch_size):
            reader.start(order[start : start + batch_size])
            run(net, images, reader.index, device)
    for name in sites:
        if name not in result.outputs and name not in result.failed:
            result.failed[name] = "the module never ran"
    return result


class _Reader:
    """Adds one feature map of the current batch to the sums; the hooks call it."""

    def __init__(
        self,
        result: Statistics,
        labels: np.ndarray,
        classes: int,
        positions: int,
        own: Sequence[OwnSums],
        device: torch.device,
    ) -> None:
        self.result, self.labels, self.classes, self.positions = result, labels, classes, positions
        self.own, self.device = own, device
        self.racks: dict[int, tuple[int, Tensor, Tensor, Tensor]] = {}
        self.seen: dict[int, tuple[weakref.ref, int, Moments]] = {}

    def start(self, index: np.ndarray) -> None:
        """Begin a batch of the images of `index`, int64 of shape (N,)."""
        self.index, self.folds = index, index % self.result.folds
        rows = (index, self.labels[index], self.folds)
        self.batch = Batch(*(torch.from_numpy(row).to(self.device) for row in rows))
        self.racks.clear()
        self.seen.clear()

    def moments(self, into: dict[str, Moments], name: str, x: Tensor, channels_last: bool) -> None:
        """Add the chosen positions of a map to the moments of a site; `channels_last` is as in `positions_of`."""
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
        """Add the means over positions of a stream's map to its sums."""
        vectors = positions_of(x)[: len(self.index)]
        count, channels = vectors.shape[1:]
        folds, classes = self.result.folds, self.classes
        if name not in self.result.pooled:
            self.result.pooled[name] = Pooled.empty(folds, classes, channels, x.device, positions=count, stride=stride)
        into = self.result.pooled[name]
        cell = self.batch.folds * classes + self.batch.labels
        pooled = vectors.mean(1).double()
        into.images.view(-1).index_add_(0, cell, torch.ones_like(cell, dtype=torch.float64))
        into.total.view(-1, channels).index_add_(0, cell, pooled)
        into.square.index_add_(0, self.batch.folds, pooled**2)

    def show(self, name: str, site: Site, x: Tensor) -> None:
        """Pass all positions of a map to the sums that measures define themselves."""
        for sums in self.own:
            sums.add(name, site, positions_of(x)[: len(self.index)], self.batch)

    def _rack(self, count: int, device: torch.device) -> tuple[int, Tensor, Tensor, Tensor]:
        """Return which vectors of the batch are read from maps of `count` positions.

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
            vectors = torch.from_numpy(images * positions).to(device)
            self.racks[count] = first, rack.clamp(min=0), torch.nonzero(rack < 0).flatten(), vectors
        return self.racks[count]


@contextmanager
def _hooks(sites: Mapping[str, Site], reader: _Reader) -> Generator[None, None, None]:
    """Show the reader the inputs of pointwise layers and the outputs of sites."""
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
                reader.show(name, site, output)

            def read_input(module, inputs, name=name, last=last):
                reader.moments(result.inputs, name, inputs[0], last)

            stack.callback(site.output.register_forward_hook(read_output).remove)
            if site.reader is not None:
                stack.callback(site.reader.register_forward_pre_hook(read_input).remove)
        yield
