"""Images of known features for measures: those with the truth, and those that measures of classes see.

Measures of classes need one class for each image. They see the images that have any feature, each with its strongest
feature as its class. Measures that see the truth take all images, from ``known``.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lowparam.data.known import KnownFeatures
from lowparam.errors import LowparamError
from lowparam.interference.context import Context
from lowparam.interference.held_out import GivenImages, evenly

__all__ = ["UNKNOWN", "Known", "KnownImages", "known_images", "known_in"]

UNKNOWN = "it needs images of known features (source: factors)"


@dataclass(frozen=True)
class Known:
    """Images with what is in them; n is the number of features that occur.

    Parameters
    ----------
    inputs : Tensor
        float32 of shape (N, C, H, W), as the network takes them.
    present : Tensor
        bool (N, n): which features are present.
    places : Tensor
        int64 (N, n): the tile that each feature is in, row by row.
    tiles : int
        Tiles in a row of an image.
    """

    inputs: Tensor
    present: Tensor
    places: Tensor
    tiles: int = 1

    @property
    def features(self) -> int:
        """The number of features that occur."""
        return self.present.shape[1]

    @property
    def labels(self) -> Tensor:
        """Zeros: no class."""
        return torch.zeros(len(self), dtype=torch.int64)

    @property
    def classes(self) -> list[str]:
        """One name, for the label that all have."""
        return ["any"]

    def __len__(self) -> int:
        return len(self.inputs)

    def pixels(self, index: np.ndarray) -> Tensor:
        """Return the inputs (len(index), C, H, W) in the order of `index`."""
        return self.inputs[torch.from_numpy(index)]

    def every_second(self) -> "Known":
        """Return half of the images."""
        return replace(self, inputs=self.inputs[::2], present=self.present[::2], places=self.places[::2])


@dataclass(frozen=True)
class KnownImages(GivenImages):
    """Images that have a feature, labelled by the strongest one; ``known`` has all images."""

    known: Known | None = None

    def every_second(self) -> "KnownImages":
        """Return half of the images, and half of those of ``known``."""
        half = super().every_second()
        assert self.known is not None
        return KnownImages(half.inputs, half.labels, half.classes, self.known.every_second())


def known_images(dataset: KnownFeatures, most: int) -> KnownImages:
    """Take at most `most` images of the validation and test splits together, evenly spaced.

    Raises
    ------
    LowparamError
        If none of them has a feature.
    """
    assert dataset.templates is not None
    pixels = torch.cat([dataset.validation.pixels, dataset.test.pixels])
    rows = torch.from_numpy(evenly(len(pixels), most))
    held_out = ("validation", "test")
    strongest = torch.cat([dataset.strongest(split) for split in held_out])[rows]
    present = torch.cat([dataset.presence(split) for split in held_out])[rows]
    places = torch.cat([torch.from_numpy(dataset.drawn[split].places) for split in held_out])[rows]
    inputs, shown = dataset.normalise(pixels[rows]), strongest < len(dataset.templates)
    if not shown.any():
        raise LowparamError(f"none of the {len(rows)} held-out images has a feature; raise factors.images or presence")
    n = dataset.features
    known = Known(inputs, present[:, :n], places[:, :n].long(), dataset.templates.tiles)
    return KnownImages(inputs[shown], strongest[shown], dataset.classes, known)


def known_in(context: Context) -> Known | None:
    """Return the images of a context with what is in them; None if that is not known."""
    return getattr(context.images, "known", None)
