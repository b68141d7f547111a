"""Average path length: how many activations that are not linear a path from the image to the outputs meets.

At a shortcut, a path takes the block or the way around it with equal probability, and at an activation one of its
channels (Mehmeti-Goepel & Disselhoff 2022, arXiv 2211.17180, the normalised average path length). So it is the sum over
blocks of the share of channels that are not linear, added over the block's activations, times 1/2 if the block has a
shortcut. Here a channel is linear if the squared correlation of its input and output is above 0.99 over the images (as
in `channel_linearity`): a reading, as the authors train slopes until channels are linear. A gate and a product of
branches count as an activation each if they are of maps.
"""

from lowparam.interference.context import Context
from lowparam.interference.held_out import spread
from lowparam.interference.measurement import Value, undefined
from lowparam.interference.measures.channel_linearity import IMAGES, _collect, find_activations
from lowparam.models.blocks import Block

__all__ = ["measure"]

PLACE = 122
NEEDS = ("network",)
COST = 0.59
VALUES = {
    "path_length": {
        "means": "mean number of activations that are not linear, on a path through the network",
        "range": "0 or more",
        "null": "all channels of activations, not one of them linear",
        "at": "the network",
    },
}
SUMMARY = {"path_length": {"value": "path_length", "means": "mean number of activations on a path"}}
LINEAR = 0.99


def measure(context: Context) -> list[Value]:
    """Measure the network on at most 512 images."""
    activations = find_activations(context.net)
    pairs, _ = _collect(context, activations, spread(context.images, IMAGES))
    if not pairs:
        return [undefined("path_length", "no activation of maps was found", kind="the network")]
    around = {name: module.residual for name, module in context.net.named_modules() if isinstance(module, Block)}
    length = most = 0.0
    for name, sums in pairs.items():
        _, _, variance, output, covariance = sums.moments()
        explained = covariance**2 / (variance * output).clamp(min=1e-300)
        bent = (explained <= LINEAR) & (output > 1e-12)  # a constant channel is linear
        inside = [block for block in around if name.startswith(f"{block}.")]
        passed = 0.5 if any(around[block] for block in inside) else 1.0
        length += passed * bent.double().mean().item()
        most += passed
    return [Value("path_length", value=length, null=most, kind="the network", n=len(pairs))]
