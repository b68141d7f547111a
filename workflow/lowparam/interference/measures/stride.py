"""Where a network strides: the height of a block's input over that of its output.

No interference, but what the summary needs to tell blocks that stride, and ends of stages, from the rest.
"""

from lowparam.interference.context import Context
from lowparam.interference.measurement import Value

__all__ = ["measure"]

DEFAULT = True
PLACE = 50
NEEDS = ("pooled",)
COST = 0.0
VALUES = {
    "stride": {
        "means": "height of a block's input over that of its output; n is the number of positions of the output",
        "range": "1 or more",
        "null": "none",
        "at": "stream",
    },
}


def measure(context: Context) -> list[Value]:
    """Return the stride of every block that was read."""
    return [
        Value("stride", name, site.kind, value=context.pooled[name].stride, n=context.pooled[name].positions)
        for name, site in context.streams.items()
        if name in context.pooled
    ]
