"""Gates: layers that weigh each channel by the complete feature map."""

from collections.abc import Callable

from torch import Tensor, nn

__all__ = ["SqueezeExcite"]


class SqueezeExcite(nn.Module):
    """Squeeze-and-excitation (Hu et al. 2018, arXiv 1709.01507): x * gate(W2 act(W1 mean(x))), the mean over H and W.

    Parameters
    ----------
    channels : int
        C of the input (N, C, H, W).
    squeezed : int or None
        Rows of W1; None takes a quarter of the channels.
    activation, gate : callable
        Make ``act`` and ``gate``.
    """

    drawn = "squeeze-and-excitation"

    def __init__(
        self,
        channels: int,
        squeezed: int | None = None,
        *,
        activation: Callable[[], nn.Module] = nn.ReLU,
        gate: Callable[[], nn.Module] = nn.Hardsigmoid,
    ) -> None:
        super().__init__()
        squeezed = max(1, round(channels / 4)) if squeezed is None else squeezed
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.act = activation()
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.expand(self.act(self.reduce(pooled))))
