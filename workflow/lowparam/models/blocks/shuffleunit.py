"""ShuffleNetV2's unit (Ma et al. 2018, arXiv 1807.11164, section 3 and figure 3)."""

from functools import partial

from torch import Tensor, nn

from lowparam.models.blocks.base import Block, Layout, Site, foldable
from lowparam.models.layers import ConvNormAct, conv_norm_act
from lowparam.models.layers.split import ChannelShuffle, FirstHalf, SecondHalf
from lowparam.models.make import Make

__all__ = ["ARCHITECTURES", "PUBLISHED", "ShuffleUnit"]


class ShuffleUnit(Block):
    """Half of the channels pass; the others: PW, BN, ReLU -> DW 3x3, BN -> PW, BN, ReLU; then both in turn.

    Where it strides or widens, both halves are made of all channels: the first by DW 3x3, BN -> PW, BN, ReLU. There is
    no sum, so a probe at S1 or S2 acts on the output. Of an odd number of channels the smaller half passes.
    """

    expansion = 0.5
    shortcut = False

    def __init__(self, in_channels, out_channels, *, stride, hidden, make=None) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden=hidden, make=make)
        make = self.bound(make)
        first, second = out_channels // 2, out_channels - out_channels // 2
        self.keeps = stride == 1 and in_channels == out_channels
        if self.keeps:
            self.first: nn.Module = FirstHalf()
            self.take: nn.Module = SecondHalf()
            self.second = self.inside(make, second, hidden)
        else:
            self.first = nn.Sequential(
                ConvNormAct(make.spatial(in_channels, 3, stride), make.norm(in_channels)),
                ConvNormAct(make.pointwise(in_channels, first), make.norm(first), make.activation(first)),
            )
            self.take = nn.Identity()
            self.second = _Bottleneck(make, in_channels, second, stride=stride, hidden=hidden)
        self.shuffle = ChannelShuffle()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        return cls.expansion * out_width

    def inside(self, make: Make, channels: int, hidden: int) -> nn.Module:
        """Make what maps the half that does not pass to its new values."""
        return _Bottleneck(make, channels, channels, stride=1, hidden=hidden)

    def branch(self, x: Tensor) -> Tensor:
        return self.shuffle(self.first(x), self.second(self.take(x)))

    def inner_sites(self) -> list[Site]:
        """Return the sites of the half that does not pass."""
        return self.second.sites()


class _Bottleneck(nn.Sequential):
    """PW, BN, ReLU -> DW 3x3, BN -> PW, BN, ReLU."""

    def __init__(self, make: Make, before: int, after: int, *, stride: int, hidden: int) -> None:
        super().__init__()
        self.expand = ConvNormAct(make.pointwise(before, hidden), make.norm(hidden), make.activation(hidden))
        self.depthwise = ConvNormAct(make.spatial(hidden, 3, stride), make.norm(hidden))
        self.gate = make.gate(hidden)
        self.project = ConvNormAct(make.pointwise(hidden, after), make.norm(after), make.activation(after))

    def sites(self) -> list[Site]:
        return [
            Site("expansion", self.expand, self.expand.conv, foldable(self.expand.norm)),
            Site("spatial", self.depthwise),
            Site("projection", self.project, self.project.conv, foldable(self.project.norm)),
        ]


ARCHITECTURES = {"shuffleunit": ShuffleUnit}


def published(widths: tuple[int, ...], *, in_channels: int, small: bool, make: Make) -> Layout:
    """Lay out ShuffleNetV2: a 3x3 of stride 2 and a max pool of stride 2, three stages, a last 1x1 convolution.

    For small images the stem neither strides nor pools.

    Parameters
    ----------
    widths : tuple of int
        Channels of the three stages and of the last convolution.
    """
    before = 24
    first = conv_norm_act(in_channels, before, 3, stride=1 if small else 2, activation=nn.ReLU)
    stem = first if small else nn.Sequential(first, nn.MaxPool2d(3, 2, 1))
    stages: list[list[nn.Module]] = []
    for width, depth in zip(widths, (4, 8, 4), strict=False):
        stages.append([])
        for position in range(depth):
            stride = 1 if position else 2
            stages[-1].append(ShuffleUnit(before, width, stride=stride, hidden=width // 2, make=make))
            before = width
    neck = conv_norm_act(before, widths[-1], activation=nn.ReLU)
    return Layout(stem, stages, widths[-1], neck=neck, counted_as_head=[neck])


PUBLISHED = {  # table 5 of the paper
    "shuffleunit_x0.5": partial(published, (48, 96, 192, 1024)),
    "shuffleunit_x1.0": partial(published, (116, 232, 464, 1024)),
}
