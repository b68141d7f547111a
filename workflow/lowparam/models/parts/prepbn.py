"""Layer norm that turns into batch norm with a linear shortcut while training (PRepBN), in place of every norm.

It is lambda LN(x) + (1 - lambda) RepBN(x), RepBN(x) = BN(x) + eta x with one learned eta, lambda falling linearly from
1 to 0 over the first part of the training; in eval mode RepBN alone. 4 C + 1 parameters while training, of which
2 C + 1 remain, and are counted.
"""

import torch
from torch import Tensor, nn

from lowparam.models.layers import LayerNorm2d

__all__ = ["EQUALS", "LABEL", "PAPER", "SHARE", "SLOT", "PRepBN", "make"]

SLOT = "norm"
LABEL = "PRepBN"
PAPER = "Guo et al. 2024, arXiv 2405.11582, section 3.1"
EQUALS = "Layer norm in the first training step; repbn in eval mode and once lambda is 0, which is a batch norm there."

SHARE = 0.16
"""Share of the training steps until lambda is 0: the authors' 60,000 of about 375,000."""


class PRepBN(nn.Module):
    """Norm of (N, C, H, W) as above.

    Lambda depends on the number of training passes, a buffer that checkpoints keep. Without a training loop that
    calls `plan`, lambda is 0.

    Parameters
    ----------
    channels : int
        C.
    share : float
        Share of the training steps until lambda is 0; 0 is RepBN from the start.
    """

    drawn = "PRepBN"
    passes: Tensor

    def __init__(self, channels: int, share: float = SHARE) -> None:
        super().__init__()
        self.share, self.until = share, 0.0
        self.layer = LayerNorm2d(channels) if share else None
        self.batch = nn.BatchNorm2d(channels)
        self.eta = nn.Parameter(torch.ones(()))
        self.register_buffer("passes", torch.zeros(()))

    @property
    def unused_later(self) -> list[nn.Module]:
        """What is not counted, because nothing reads it after training."""
        return [self.layer] if self.layer is not None else []

    def plan(self, steps: int) -> None:
        """Let lambda fall to 0 over a share of this number of training steps."""
        self.until = self.share * steps

    def forward(self, x: Tensor) -> Tensor:
        y = self.batch(x) + self.eta * x
        if not self.training or self.layer is None or not self.until:
            return y
        of_layer = (1 - self.passes / self.until).clamp(min=0)
        self.passes += 1
        return of_layer * self.layer(x) + (1 - of_layer) * y

    # What the batch norm has that it is in eval mode, so that it is folded as one (`lowparam.models.blocks.foldable`).
    @property
    def eps(self) -> float:
        return self.batch.eps

    @property
    def running_mean(self) -> Tensor | None:
        return self.batch.running_mean

    @property
    def running_var(self) -> Tensor | None:
        return self.batch.running_var

    @property
    def weight(self) -> Tensor:
        assert self.running_var is not None  # only of a norm without statistics
        return self.batch.weight + self.eta * (self.running_var + self.batch.eps).sqrt()

    @property
    def bias(self) -> Tensor:
        assert self.running_mean is not None
        return self.batch.bias + self.eta * self.running_mean


def make(channels: int) -> nn.Module:
    """Return a PRepBN of (N, channels, H, W)."""
    return PRepBN(channels)
