"""The frame that ConvNeXt and the NoDepth readings share around their blocks (Liu et al. 2022, section 2)."""

from collections.abc import Sequence

from torch import nn

from lowparam.models.blocks.base import Block, Layout
from lowparam.models.layers import LayerNorm2d, make_divisible, truncated_normal
from lowparam.models.make import Make

__all__ = ["convnext_frame"]


def convnext_frame(
    block: type[Block],
    widths: Sequence[int],
    depths: Sequence[int],
    *,
    in_channels: int,
    small: bool,
    make: Make,
    overlap: bool = False,
) -> Layout:
    """Lay out a network in ConvNeXt's frame: stem 4x4 / 4 and LN; LN and 2x2 / 2 between stages; LN after pooling.

    Parameters
    ----------
    block : type of Block
        The block, which here never strides or widens.
    widths, depths : sequences of int
        Channels and number of blocks of every stage.
    in_channels : int
        Channels of the images.
    small : bool
        The stem strides by 2 instead of 4, with the same 4x4 kernel (padded by 1).
    make : Make
        Makes the layers of the blocks.
    overlap : bool
        timm's ``_ols`` stem: two overlapping 3x3 convolutions, the first of half the width, instead of the 4x4.
    """
    if overlap:
        middle = make_divisible(widths[0] // 2)
        convolutions = [
            nn.Conv2d(in_channels, middle, 3, 2, 1),
            nn.Conv2d(middle, widths[0], 3, 1 if small else 2, 1),
        ]
    else:
        convolutions = [nn.Conv2d(in_channels, widths[0], 4, 2 if small else 4, 1 if small else 0)]
    stem = nn.Sequential(*convolutions, LayerNorm2d(widths[0]))
    stages: list[list[nn.Module]] = []
    before = widths[0]
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        down = [nn.Sequential(LayerNorm2d(before), nn.Conv2d(before, width, 2, 2))] if stage else []
        hidden = max(1, round(block.hidden_width(width, width)))
        blocks = [block(width, width, stride=1, hidden=hidden, make=make) for _ in range(depth)]
        stages.append([*down, *blocks])
        before = width
    return Layout(
        stem,
        stages,
        before,
        head=nn.LayerNorm(before, eps=1e-6),
        initialise=truncated_normal,
        smallest=(2 if small else 4) * 2 ** (len(widths) - 1),
    )
