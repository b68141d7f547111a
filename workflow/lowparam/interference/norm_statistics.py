"""Recalibrate the batch norms of an untrained network, so that it can be measured next to the trained one."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from lowparam.data import Dataset, Streamed
from lowparam.data.pixels import pixels_of
from lowparam.interference.held_out import evenly

__all__ = ["recalibrate", "recalibrate_on"]


def recalibrate(net: nn.Module, dataset: Dataset | Streamed, most: int = 256) -> None:
    """Set the statistics of all batch norms to those of at most `most` training images; nothing else changes."""
    rows = evenly(len(dataset.train), most)
    batches = np.array_split(rows, max(1, len(rows) // 256))
    recalibrate_on(net, (dataset.normalise(pixels_of(dataset, dataset.train, batch)) for batch in batches))


def recalibrate_on(net: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of all batch norms to the mean over batches of inputs (N, C, H, W); leave it in eval mode."""
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    if not norms:
        return
    device = next(net.parameters()).device
    momenta = [norm.momentum for norm in norms]
    net.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()
    with torch.no_grad():
        for x in batches:
            net(x.to(device).contiguous(memory_format=torch.channels_last))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    net.eval()
