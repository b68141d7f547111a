"""What blocks of several residual branches share: the layer that strides before them, and the hidden branch."""

from torch import Tensor, nn

from lowparam.models.blocks.base import Site, foldable
from lowparam.models.make import Make

__all__ = ["HiddenBranch", "embedding"]

SITES = ("expansion", "projection")


def embedding(make: Make, before: int, after: int, stride: int, *, kernel: int = 3, norm: bool = True) -> nn.Module:
    """Make what changes width or stride before a block whose paper does so between stages: a dense convolution, a norm.

    The identity where neither changes, so that a block begins with it whatever its place.

    Parameters
    ----------
    make : Make
        Makes the norm, and what strides.
    before, after : int
        Channels before and after.
    stride : int
        1 or 2.
    kernel : int
        Height and width of the convolution, odd.
    norm : bool
        Whether a norm follows.
    """
    if stride == 1 and before == after:
        return nn.Identity()

    def convolution(stride: int) -> nn.Conv2d:
        return nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=make.defaults.bias or not norm)

    layers = [make.striding(convolution, after, stride), *([make.norm(after)] if norm else [])]
    return nn.Sequential(*layers)


class HiddenBranch(nn.Module):
    """Norm -> PW to the hidden width, activation, gate -> PW, scale: what follows attention, without its shortcut.

    Parameters
    ----------
    make : Make
        Makes the layers.
    width, hidden : int
        Channels of input and output, and between the two.
    before : bool
        Whether a norm comes first.
    inside : bool
        Whether a norm follows each PW.
    bias : bool or None
        Whether each PW has a bias; None as the block has.
    scale : bool
        Whether the block may have a layer scale here: not where nothing is added, which it would silence.
    """

    def __init__(
        self,
        make: Make,
        width: int,
        hidden: int,
        *,
        before: bool = True,
        inside: bool = False,
        bias: bool | None = None,
        scale: bool = True,
    ) -> None:
        super().__init__()
        self.norm = make.norm(width) if before else nn.Identity()
        self.expand = make.pointwise(width, hidden, bias=bias)
        self.norm_hidden = make.norm(hidden) if inside else nn.Identity()
        self.act = make.activation(hidden)
        self.gate = make.gate(hidden)
        self.project = make.pointwise(hidden, width, bias=bias)
        self.norm_out = make.norm(width) if inside else nn.Identity()
        self.scale = make.scale(width) if scale else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.gate(self.act(self.norm_hidden(self.expand(self.norm(x)))))
        return self.scale(self.norm_out(self.project(y)))

    def sites(self, name: str = "") -> list[Site]:
        """Return the sites, their names after `name`: what is read out of the stream, and what is written back."""
        gamma, names = getattr(self.scale, "gamma", None), [f"{name}_{kind}" * bool(name) for kind in SITES]
        return [
            Site(SITES[0], self.act, self.expand, foldable(self.norm_hidden), name=names[0]),
            Site(SITES[1], self.scale, self.project, foldable(self.norm_out), scale=gamma, name=names[1]),
        ]
