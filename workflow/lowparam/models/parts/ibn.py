"""Instance norm for half of the channels in the first norm of each block but the last stage's; batch norm elsewhere.

IBN-a of section 3.2 and figure 3 of the paper. The first C // 2 channels get instance norm, the others, with the spare
one of an odd number, batch norm. 2 C parameters for C channels, as batch norm has.
"""

import torch
from torch import Tensor, nn

__all__ = ["EQUALS", "LABEL", "PAPER", "SLOT", "InstanceBatchNorm2d", "finish", "make"]

SLOT = "norm"
LABEL = "IBN"
PAPER = "Pan et al. 2018, arXiv 1807.09441"
EQUALS = "Batch norm at a share of 0, instance norm at a share of 1."


class InstanceBatchNorm2d(nn.Module):
    """Instance norm of the first channels of (N, C, H, W), with learned factors and shifts, and batch norm of the rest.

    Parameters
    ----------
    channels : int
        C.
    share : float
        Share of the channels that get instance norm, rounded down to a channel.
    """

    drawn = "IBN"

    def __init__(self, channels: int, share: float = 0.5) -> None:
        super().__init__()
        self.channels, self.split = channels, int(share * channels)
        self.instance = nn.InstanceNorm2d(self.split, affine=True) if self.split else None
        self.batch = nn.BatchNorm2d(channels - self.split) if self.split < channels else None

    def forward(self, x: Tensor) -> Tensor:
        parts = []
        if self.instance is not None:
            parts.append(self.instance(x[:, : self.split]))
        if self.batch is not None:
            parts.append(self.batch(x[:, self.split :]))
        return torch.cat(parts, 1)


def make(channels: int) -> nn.Module:
    """Return an IBN of (N, channels, H, W)."""
    return InstanceBatchNorm2d(channels)


def finish(net: nn.Module) -> None:
    """Leave IBN in the first norm of each block but those of the last stage; make the other ones batch norms."""
    stages = list(net.get_submodule("stages").children())
    for stage in stages:
        for block in stage.children():
            found = [
                (parent, name, norm)
                for parent in block.modules()
                for name, norm in parent.named_children()
                if isinstance(norm, InstanceBatchNorm2d)
            ]
            first = next((m for m in block.modules() if isinstance(m, InstanceBatchNorm2d)), None)
            for parent, name, norm in found:
                if norm is not first or stage is stages[-1]:
                    setattr(parent, name, nn.BatchNorm2d(norm.channels))
