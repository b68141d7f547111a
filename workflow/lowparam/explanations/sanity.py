"""Sanity check of attributions: a map that stays when the weights are shuffled says nothing of the network.

The layers are randomised from the output on, more and more of them (Adebayo et al. 2018, arXiv 1810.03292, the
cascading randomisation), and the maps are compared with those of the trained network: the rank correlation of absolute
values, mean over images. Near 1, the method shows the image, as a detector of edges would. For comparison, the same
between the maps of different images in the trained network: what all maps share, such as a preference for the middle.
The paper draws weights anew. Here the values of each tensor are shuffled, which needs no knowledge of how it was
initialised, and statistics of batch norms are computed again, or else the maps would be those of dying units.
"""

import copy

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from lowparam.interference.norm_statistics import recalibrate_on

__all__ = ["rank_correlation", "shuffled"]


def shuffled(net: nn.Module, share: float, images: Tensor, *, seed: int = 0) -> nn.Module:
    """Return a copy of a network whose last layers have their weights shuffled.

    Parameters
    ----------
    net : nn.Module
        Its modules with parameters of their own count as layers, in the order of definition.
    share : float
        From 0, none, to 1, all; at least the last one unless it is 0.
    images : Tensor
        To compute the statistics of batch norms from.
    seed : int
        Of the shuffles.
    """
    net = copy.deepcopy(net)
    layers = [module for module in net.modules() if next(module.parameters(recurse=False), None) is not None]
    count = int(np.ceil(share * len(layers)))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in layers[len(layers) - count :]:
            for parameter in layer.parameters(recurse=False):
                order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
                parameter.copy_(parameter.flatten()[order].view(parameter.shape))
    if count:
        recalibrate_on(net, [images])
    return net.eval()


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Return the rank correlation of the absolute values of two maps (N, H, W), mean over images; NaN if undefined."""
    ranks = [rankdata(maps.abs().flatten(1).numpy(force=True), axis=1) for maps in (first, second)]
    centred = [rank - rank.mean(1, keepdims=True) for rank in ranks]
    lengths = np.prod([np.sqrt((rank**2).sum(1)) for rank in centred], axis=0)
    defined = lengths > 0
    if not defined.any():
        return float("nan")
    return float(((centred[0] * centred[1]).sum(1)[defined] / lengths[defined]).mean())
