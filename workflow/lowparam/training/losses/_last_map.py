"""The last feature map of a network, for losses that read it besides the logits."""

from collections.abc import Callable

from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.models.skeletons.controlled import Network

__all__ = ["keep_last_map"]


def keep_last_map(net: Network, loss: str) -> Callable[[], Tensor]:
    """Return what hands over the map (N, C, H, W) that a network pools, once after each training pass.

    Raises
    ------
    LowparamError
        If the network does not say which map that is; `loss` is the name that the message has.
    """
    layer = getattr(net, "neck", getattr(net, "stages", None))
    if layer is None:
        raise LowparamError(
            f"recipe key loss: {loss} reads the map that is pooled, which is not known of this architecture; choose "
            "another loss"
        )
    kept: list[Tensor] = []

    def keep(module: nn.Module, args: tuple, output: Tensor) -> None:
        if module.training:  # an evaluation would keep its map alive
            kept[:] = [output]

    layer.register_forward_hook(keep)
    return kept.pop
