"""SoLU(x) = x * softmax(x) over channels at each position (Elhage et al. 2022, "Softmax Linear Units").

``solu_<place>``        SoLU itself
``solu_<place>_xc``     times the number of channels: uniform softmax changes nothing, so no shrinking by width
``solu_<place>_ln``     followed by a layer norm over channels, as in the original: no shrinking at all
``solu_<place>_t4``     softmax of x / 4: softer
``solu_<place>_t0.25``  softmax of 4 x: sharper
"""

from functools import partial

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LABEL", "VARIANTS", "SoLU"]

LABEL = "SoLU"
VARIANT_LABELS = {"xc": "times width", "ln": "layer norm", "t4": "temperature 4", "t0.25": "temperature 1/4"}


class SoLU(nn.Module):
    """x * softmax(x / temperature) over the channels of (N, C, H, W), at each position by itself.

    Parameters
    ----------
    temperature : float
        Above 0; 1 is the original, larger is softer.
    times_channels : bool
        Multiply by C.
    normalise : bool
        Follow with a layer norm over channels without parameters (eps 1e-6).
    """

    def __init__(self, *, temperature: float = 1.0, times_channels: bool = False, normalise: bool = False) -> None:
        super().__init__()
        self.temperature, self.times_channels, self.normalise = temperature, times_channels, normalise

    def forward(self, x: Tensor) -> Tensor:
        y = x * (x / self.temperature).softmax(dim=1)
        if self.times_channels:
            y = y * x.shape[1]
        if self.normalise:
            y = y.movedim(1, -1)
            y = functional.layer_norm(y, y.shape[-1:], eps=1e-6).movedim(-1, 1)
        return y


VARIANTS = {
    "": SoLU,
    "xc": partial(SoLU, times_channels=True),
    "ln": partial(SoLU, normalise=True),
    "t4": partial(SoLU, temperature=4.0),
    "t0.25": partial(SoLU, temperature=0.25),
}
