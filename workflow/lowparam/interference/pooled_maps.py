"""Keep the pooled map of every image at each stream, for measures that sums over images cannot give."""

import torch
from torch import Tensor

from lowparam.interference.context import Context
from lowparam.interference.one_pass import Batch
from lowparam.models.blocks import Site

__all__ = ["PooledMaps"]


class PooledMaps:
    """The means over positions of each stream's maps; as many numbers as images times channels.

    A measure makes them its own sums with ``class Sums(PooledMaps)``.
    """

    def __init__(self, context: Context) -> None:
        self._read: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def add(self, name: str, site: Site, maps: Tensor, batch: Batch) -> None:
        """Add the maps (N, positions, C) of a stream."""
        if site.kind == "stream":
            self._read.setdefault(name, []).append((batch.index.cpu(), maps.mean(1).double().cpu()))

    def __contains__(self, name: str) -> bool:
        return name in self._read

    def __getitem__(self, name: str) -> Tensor:
        """Return the pooled maps of a stream (images, C), in float64 and in the order of the images."""
        index, maps = (torch.cat(parts) for parts in zip(*self._read[name], strict=True))
        return maps[index.argsort()]
