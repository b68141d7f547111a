"""Measure networks whose superposition is known: n sparse features as random directions of m channels.

A network of this kind needs no training. Feature i is an input channel that is active at a position with probability
0.1, independently, with a strength between 0 and 1. A pointwise layer writes it along a random unit vector of m
channels, which are the stream, and a ReLU reads each feature along its own vector with a bias. The outputs are the
means of the first ten features over positions, and an image's class is the one of these that is always present in it.
More features in the same channels are more superposition and nothing else.

`rank_correlations` tells how each column of runs.csv moves from as many features as channels to eight times as many.
What it returned is in `lowparam.interference.known_behaviour`, for the table `measures`; the toy models of
`lowparam.studies.toy` are trained, and have few of the measures.
"""

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lowparam.interference import measures
from lowparam.interference.held_out import GivenImages
from lowparam.interference.profile import profile_network
from lowparam.interference.summary import summary
from lowparam.models.blocks import Site
from lowparam.params import Profile
from lowparam.threads import one_thread

__all__ = ["Known", "images", "rank_correlations"]

CHANNELS, CLASSES, SIZE, DENSITY, BIAS = 12, 10, 4, 0.1, -0.3
RATIOS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
LEFT_OUT = ("sparse_features", "concept_count", "effective_parameters")
"""Measures that take seconds or minutes a network."""


class Known(nn.Module):
    """The network described above, with n features in m channels."""

    def __init__(self, features: int, *, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        directions = F.normalize(torch.randn(CHANNELS, features, generator=generator), dim=0)
        self.write = nn.Conv2d(features, CHANNELS, 1, bias=False)
        self.read, self.act = nn.Conv2d(CHANNELS, features, 1), nn.ReLU()
        with torch.no_grad():
            self.write.weight.copy_(directions[:, :, None, None])
            self.read.weight.copy_(directions.T[:, :, None, None])
            self.read.bias.fill_(BIAS)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, n, h, w) to outputs (N, 10)."""
        return self.act(self.read(self.write(x))).mean((2, 3))[:, :CLASSES]

    def sites(self) -> dict[str, Site]:
        """Return the map of the channels, as what is written and as a stream."""
        return {
            "0.projection": Site("projection", self.write, self.write),
            "0.stream": Site("stream", self.write),
        }


def images(features: int, *, seed: int, count: int = 400) -> GivenImages:
    """Return features (count, n, 4, 4) at random positions, and in each image one of the first ten at all of them."""
    generator = torch.Generator().manual_seed(1000 + seed)
    shape = (count, features, SIZE, SIZE)
    x = torch.rand(shape, generator=generator) * (torch.rand(shape, generator=generator) < DENSITY)
    labels = torch.arange(count) % CLASSES
    x[torch.arange(count), labels] = torch.rand(count, SIZE, SIZE, generator=generator) / 2 + 0.5
    return GivenImages(x, labels, [str(k) for k in range(CLASSES)])


@one_thread()
def rank_correlations(ratios: tuple[float, ...] = RATIOS, *, seeds: int = 3) -> dict[str, float]:
    """Return the rank correlation of each column of runs.csv with the features per channel; NaN where undefined."""
    added = [name for name in measures.names() if not measures.declared(name).get("DEFAULT") and name not in LEFT_OUT]
    settings = Profile(images=400, null_draws=20, folds=5, measures=added)
    rows = []
    for ratio in ratios:
        for seed in range(seeds):
            features = round(ratio * CHANNELS)
            profile = profile_network(Known(features, seed=seed), images(features, seed=seed), settings, seed=seed)
            rows.append({"ratio": ratio, **summary(profile)})
    table = pd.DataFrame(rows)
    columns = [name for name in table if name != "ratio" and table[name].notna().all()]
    ranks = {name: table[name].corr(table["ratio"], "spearman") for name in columns if table[name].nunique() > 1}
    return {name: float(np.round(value, 2)) for name, value in ranks.items()}
