"""Define what blocks share: the shortcut, the places of a probe, sites, and the layout of published networks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

from lowparam.models.make import Defaults, Make
from lowparam.models.probes import Probe

__all__ = ["Block", "Layout", "Site", "foldable"]


@dataclass(frozen=True)
class Site:
    """A place in a network where a feature map is read.

    Parameters
    ----------
    kind : str
        What the feature map is: ``expansion``, ``reduction``, ``spatial``, ``projection``, ``branch``,
        ``product``, ``sum`` or ``stream``.
    output : nn.Module
        The module whose output, of shape (N, C, H, W), is the feature map.
    pointwise : nn.Module or None
        The 1x1 convolution that writes the map, if one does.
    norm : nn.Module or None
        The normalisation right after ``pointwise``, to be folded into its weights.
    factors : pair of nn.Module or None
        The 1x1 convolutions of one input that a ``product`` or ``sum`` joins.
    scale : Tensor or None
        A factor per output channel applied after ``norm`` (layer scale), of shape (C, 1, 1).
    name : str
        What tells apart two sites of one kind in a block; the kind itself where there is one.
    """

    kind: str
    output: nn.Module
    pointwise: nn.Module | None = None
    norm: nn.Module | None = None
    scale: Tensor | None = None
    factors: tuple[nn.Module, nn.Module] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.kind)

    @property
    def reader(self) -> nn.Module | None:
        """The 1x1 convolution whose input is the site's input."""
        return self.factors[0] if self.factors else self.pointwise


@dataclass(frozen=True)
class Layout:
    """The parts of a published network, without its classifier, fresh from their definition.

    Parameters
    ----------
    stem : nn.Module
        From images to the first map.
    stages : list of lists of nn.Module
        Blocks, and down-samplers where a network has them.
    features : int
        Length of the vector that the classifier reads.
    neck : nn.Module
        From the last map to the map that is pooled.
    head : nn.Module
        From the pooled vector (N, C) to the vector that the classifier reads.
    counted_as_head : list of nn.Module
        The parts, besides the classifier, whose parameters are head and not body.
    initialise : callable or None
        Sets the weights of one module as published; None keeps torch's default.
    smallest : int
        Pixels of the smallest image whose last map has a position.
    """

    stem: nn.Module
    stages: list[list[nn.Module]]
    features: int
    neck: nn.Module = field(default_factory=nn.Identity)
    head: nn.Module = field(default_factory=nn.Identity)
    counted_as_head: list[nn.Module] = field(default_factory=list)
    initialise: Callable[[nn.Module], None] | None = None
    smallest: int = 1


class Block(nn.Module):
    """A bottleneck: a branch, a shortcut where shapes allow it, and two places for a probe such as SoLU.

    A subclass builds its layers in ``__init__``, computes ``branch(x)`` and lists its ``sites``.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input and of the output.
    stride : int
        1 or 2: the factor by which height and width shrink.
    hidden : int or None
        Hidden width: channels inside the block, for a block that has a hidden space.
    make : Make or None
        Makes the layers of the block; None makes its own.
    """

    defaults: ClassVar[Defaults] = Defaults()
    """What the block is made of where no part replaces it."""
    expansion: ClassVar[float] = 1.0
    """Hidden width over width of the input."""
    shortcut: ClassVar[bool] = True
    """Whether the block adds its input where the shapes allow it."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        hidden: int | None = None,
        make: Make | None = None,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.stride, self.hidden = in_channels, out_channels, stride, hidden
        joins = self.shortcut and stride == 1 and in_channels == out_channels
        self.add = self.bound(make).join(out_channels) if joins else None
        self.residual = self.add is not None
        self.on_branch: nn.Module = nn.Identity()  # placement S2 of a probe
        self.after_sum: nn.Module = nn.Identity()  # placement S1 of a probe

    def bound(self, make: Make | None) -> Make:
        """Return what makes the layers of this block: its `defaults` where `make` has no part."""
        return (make or Make()).bind(self.defaults)

    def insert(self, probe: Probe) -> None:
        """Put a probe on the stream or the branch, if that is its place."""
        if probe.placement == "stream":
            self.after_sum = probe.make()
        elif probe.placement == "branch":
            self.on_branch = probe.make()

    @classmethod
    def hidden_width(cls, in_width: float, out_width: float) -> float:
        """Return the hidden width before rounding, from the widths of input and output before rounding."""
        return cls.expansion * in_width

    @classmethod
    def by_stage(cls, stages: int) -> list[type["Block"]]:
        """Return the block of each stage: the same in all, unless an architecture mixes blocks.

        Raises
        ------
        LowparamError
            If the architecture names a stage that is not there.
        """
        return [cls] * stages

    def branch(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride), without the shortcut."""
        raise NotImplementedError

    def inner_sites(self) -> list[Site]:
        """Return the sites inside the block, in the order in which data flows."""
        raise NotImplementedError

    def sites(self) -> list[Site]:
        """Return all sites of the block; the last is the stream, which is the block's output."""
        return [*self.inner_sites(), Site("stream", self)]

    def forward(self, x: Tensor) -> Tensor:
        y = self.on_branch(self.branch(x))
        return self.after_sum(self.add(x, y) if self.residual else y)


def foldable(norm: nn.Module | None) -> nn.Module | None:
    """Return a norm if it can be folded into the convolution before it, as batch norm can; else None.

    What is a batch norm in eval mode has `running_var`, and `weight` as batch norm has.
    """
    return norm if getattr(norm, "running_var", None) is not None else None
