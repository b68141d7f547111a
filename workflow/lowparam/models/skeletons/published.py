"""Build the papers' own networks, layer for layer: published mode.

A block file lists the networks of its paper in ``PUBLISHED``. Below 96 pixels they are built with the strides that the
field uses for 32 x 32 images; the weights are the same unless the block file says otherwise. Dropout, drop path and the
like belong to a recipe and are not here.
"""

from torch import Tensor, nn

from lowparam.errors import LowparamError
from lowparam.models import blocks
from lowparam.models.blocks import Block, Layout
from lowparam.models.make import Make
from lowparam.models.probes import Probe, find_probe
from lowparam.models.skeletons.controlled import Network

__all__ = ["SMALL", "Published", "build"]

SMALL = 96
"""Images of fewer pixels get the strides of small images."""


class Published(Network):
    """A published network: the parts of a `Layout`, global average pooling, a linear classifier.

    Parameters
    ----------
    layout : Layout
        Stem, stages, neck and head.
    classes : int
        Number of classes.
    make : Make
        What made the layers of the blocks.
    probe : Probe
        What to put on streams or branches. One in place of activations is in `make`.

    Raises
    ------
    LowparamError
        If a part has no place in the network.
    """

    def __init__(self, layout: Layout, *, classes: int, make: Make, probe: Probe = Probe(None)) -> None:
        super().__init__()
        self.stem = layout.stem
        self.stages = nn.Sequential(*(nn.Sequential(*row) for row in layout.stages))
        self.neck, self.head = layout.neck, layout.head
        self.classifier = nn.Linear(layout.features, classes)
        if layout.initialise is not None:
            self.apply(layout.initialise)
        make.finish(self)
        for module in self.modules():
            if isinstance(module, Block):
                module.insert(probe)
        counted = [*layout.counted_as_head, self.classifier]
        self._head_names = [name for name, module in self.named_modules() if any(module is part for part in counted)]

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, in_channels, size, size) to logits (N, classes)."""
        return self.classifier(self.head(self.neck(self.features(x)).mean((2, 3))))

    def head_modules(self) -> list[nn.Module]:
        """Return the modules whose parameters are counted as head: the classifier and what widens before it."""
        return [self.get_submodule(name) for name in self._head_names]


def build(name: str, *, classes: int, in_channels: int, size: int, probe: str = "none") -> Published:
    """Build a published network by name, initialised as published where the block file says how.

    Parameters
    ----------
    name : str
        A name in `lowparam.models.blocks.published`, with parts if wanted, such as ``mobilenetv2_x0.5+se``. Parts
        change the blocks; stem, down-samplers and head stay as published.
    classes, in_channels, size : int
        Number of classes, channels of the images, and their height and width in pixels.
    probe : str
        A name in `lowparam.models.probes.names`.

    Raises
    ------
    LowparamError
        For an unknown name or probe, a part that has no place in the network, or an image that is too small.
    """
    found = find_probe(probe)
    make = Make.of(name, found)
    if "head" in make.parts:
        raise LowparamError(f"architecture {name}: a published network keeps its head; leave the part for it out")
    layout = blocks.find_published(name)(in_channels=in_channels, small=size < SMALL, make=make)
    if size < layout.smallest:
        raise LowparamError(f"{name} cannot take images of {size} pixels: it needs at least {layout.smallest}")
    return Published(layout, classes=classes, make=make, probe=found)
