"""Position similarity: how alike the channel vectors at two positions of one image are.

The measure in the public code of the first author of Hollard et al. 2025 (github.com/LilianHollard/NanoViT,
models/lutils.py): at a block's output, each position's vector is scaled to length 1 over channels, the Gram matrix
between positions gets a zero diagonal, and the mean of all its entries is taken. It is about positions in activation
space, not about directions or channels, so it stands under its own name and is not called interference.
"""

import torch

from lowparam.interference.measurement import Value, interval, undefined
from lowparam.interference.one_pass import Pooled
from lowparam.models.blocks import Site

__all__ = ["measure"]


def measure(name: str, site: Site, pooled: Pooled | None) -> list[Value]:
    """Mean over images, between -1 and 1; the null takes the two positions from different images."""
    where = {"site": name, "kind": site.kind}
    if pooled is None:
        return [undefined("position_similarity", "the site was not read", **where)]
    count = pooled.images.sum(1)
    shape = {**where, "n": pooled.positions, "m": pooled.total.shape[2]}
    if pooled.positions < 2:
        return [undefined("position_similarity", "the map has one position", **shape)]
    value = (pooled.similarity.sum() / count.sum()).item()
    if value != value:
        return [undefined("position_similarity", "activations are not finite", **shape)]
    some = count > 0
    left_out = (pooled.similarity.sum() - pooled.similarity[some]) / (count.sum() - count[some])
    lower, upper = interval(value, left_out.cpu().numpy())
    # All pairs of positions of two different images, with the share of zeros that the diagonal puts in.
    images, positions = count.sum().item(), pooled.positions
    between = (torch.sum(pooled.direction.sum(0) ** 2) - pooled.length.sum()).item()
    pairs = images * (images - 1) * positions**2
    null = between / pairs * (positions - 1) / positions if pairs else float("nan")
    return [Value("position_similarity", value=value, lower=lower, upper=upper, null=null, **shape)]
