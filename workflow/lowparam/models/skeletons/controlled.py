"""Build networks of the controlled mode: one stem, one stage plan, one head; only the block differs.

Widths are real numbers until the last step. Stage widths and hidden widths are rounded separately, so that the
parameter count moves in small steps and any budget can be met closely (see `budget.py`).
"""

from torch import Tensor, nn
from torch.nn import functional

from lowparam.errors import LowparamError
from lowparam.models import blocks
from lowparam.models.blocks import Block, Site
from lowparam.models.layers import conv_norm_act
from lowparam.models.make import Make
from lowparam.models.probes import Probe, find_probe

__all__ = ["Controlled", "Network", "build", "stage_plan"]


def stage_plan(size: int) -> tuple[int, tuple[int, ...]]:
    """Return the strides of the stem and of the stages for a square input of `size` pixels.

    The total stride is 4 below 24 pixels, 8 below 96, and 32 from there on, where there are four stages.

    Raises
    ------
    LowparamError
        Below 8 pixels, where the last map would have less than 2 x 2 positions.
    """
    if size < 8:
        raise LowparamError(f"image size {size} is too small: the skeleton needs at least 8 pixels")
    if size < 24:
        return 1, (1, 2, 2)
    if size < 96:
        return 1, (2, 2, 2)
    return 2, (2, 2, 2, 2)


class Network(nn.Module):
    """What all networks here have in common: a stem, stages of blocks, a classifier, and sites to read at.

    A subclass makes ``stem``, ``stages`` and ``classifier``. Pooling is a mean over height and width.
    """

    def features(self, x: Tensor) -> Tensor:
        """Map images (N, in_channels, size, size) to the last feature map (N, C, H, W)."""
        return self.stages(self.stem(x))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, in_channels, size, size) to logits (N, classes)."""
        return self.classifier(self.features(x).mean((2, 3)))

    def head_modules(self) -> list[nn.Module]:
        """Return the modules whose parameters are counted as head."""
        return [self.classifier]  # pyrefly: ignore[bad-return]: to torch's stubs it may be a tensor

    def regularise(self, *, dropout: float, drop_path: float) -> None:
        """Drop values before the classifier and skip residual branches while training, as a recipe demands.

        Parameters
        ----------
        dropout : float
            Probability that the classifier does not see a value.
        drop_path : float
            Probability that the last block's branch is skipped, by sample (Huang et al. 2016, "Deep Networks with
            Stochastic Depth"); it rises linearly from 0 at the first block. Blocks without a shortcut skip nothing.

        Raises
        ------
        LowparamError
            If there is no linear classifier, or no block with a shortcut that we know of.
        """
        if dropout:
            classifiers = [module for module in self.head_modules() if isinstance(module, nn.Linear)]
            if not classifiers:
                raise LowparamError(
                    "recipe key dropout: the classifier of this architecture is not linear; set it to 0"
                )
            for classifier in classifiers:
                classifier.register_forward_pre_hook(
                    lambda module, args: (functional.dropout(args[0], dropout, module.training),)
                )
        if drop_path:
            from torchvision.ops import StochasticDepth  # slow to import, so only here

            known = [module for module in self.modules() if isinstance(module, Block)]
            if not any(block.residual for block in known):
                raise LowparamError("recipe key drop_path: this architecture has no residual blocks; set it to 0")
            for number, block in enumerate(known):
                if block.residual and number:
                    skip = StochasticDepth(drop_path * number / (len(known) - 1), "row")
                    block.on_branch = nn.Sequential(block.on_branch, skip)

    def plan(self, steps: int) -> None:
        """Tell the layers that change while training, such as PRepBN, how many steps there will be."""
        for module in self.modules():
            if module is not self and hasattr(module, "plan"):
                module.plan(steps)

    def sites(self) -> dict[str, Site]:
        """Return all sites by name, such as ``stages.1.0.projection``, in the order in which data flows."""
        return {
            f"{name}.{site.name}": site
            for name, module in self.named_modules()
            if isinstance(module, Block)
            for site in module.sites()
        }


class Controlled(Network):
    """Stem, stages of blocks, global average pool, linear classifier: the skeleton of the controlled mode.

    Parameters
    ----------
    block : type of Block
        The bottleneck, the only thing in which two controlled networks differ.
    width : float
        Width of the first stage before rounding; each further stage doubles it.
    classes, in_channels, size : int
        Number of classes, channels of the images, and their height and width in pixels.
    make : Make or None
        Makes the layers of the blocks; None makes their own.
    probe : Probe
        What to put on streams or branches. One in place of activations is in `make`.
    depth : int
        Blocks in a stage, at least 1.
    divisor : int
        Stage widths are multiples of it.
    minimum : int
        No stage is narrower.
    """

    def __init__(
        self,
        block: type[Block],
        width: float,
        *,
        classes: int,
        in_channels: int,
        size: int,
        make: Make | None = None,
        probe: Probe = Probe(None),
        depth: int = 2,
        divisor: int = 1,
        minimum: int = 4,
    ) -> None:
        super().__init__()
        make = make or Make(probe=probe)
        stem_stride, strides = stage_plan(size)

        def rounded(value: float) -> int:
            return max(minimum, divisor * round(value / divisor))

        self.stem = conv_norm_act(in_channels, rounded(width), 3, stride=stem_stride, activation=nn.ReLU)
        self.stages = nn.Sequential()
        before = width
        for stage, (stride, chosen) in enumerate(zip(strides, block.by_stage(len(strides)), strict=True)):
            after = width * 2**stage
            row = nn.Sequential()
            for position in range(depth):
                hidden = max(1, round(chosen.hidden_width(before, after)))
                row.append(
                    chosen(
                        rounded(before),
                        rounded(after),
                        stride=stride if position == 0 else 1,
                        hidden=hidden,
                        make=make,
                    )
                )
                row[-1].insert(probe)
                before = after
            self.stages.append(row)
        for stride in (stem_stride, *strides):
            size = -(-size // stride)
        own_head = make.head(rounded(before), classes, size)
        self.reads_map = own_head is not None
        self.classifier = own_head if self.reads_map else nn.Linear(rounded(before), classes)
        make.finish(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, in_channels, size, size) to logits (N, classes)."""
        return self.classifier(self.features(x)) if self.reads_map else super().forward(x)


def build(
    architecture: str,
    width: float,
    *,
    classes: int,
    in_channels: int,
    size: int,
    probe: str = "none",
    **skeleton: int,
) -> Network:
    """Build a controlled network by names, with torch's default initialisation.

    Parameters
    ----------
    architecture : str
        A block, with or without parts, such as ``mobilenetv2+se``.
    width : float
        Width of the first stage before rounding, at least 1.
    classes, in_channels, size : int
        Number of classes, channels of the images, and their height and width in pixels.
    probe : str
        A name in `lowparam.models.probes.names`.
    **skeleton
        ``depth``, ``divisor`` and ``minimum`` of `Controlled`.

    Raises
    ------
    LowparamError
        For an unknown architecture, part or probe, a part without a place, or an image that is too small.
    """
    found = find_probe(probe)
    return Controlled(
        blocks.find(architecture),
        width,
        classes=classes,
        in_channels=in_channels,
        size=size,
        make=Make.of(architecture, found),
        probe=found,
        **skeleton,
    )
