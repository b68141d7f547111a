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

__all__ = ["UNKNOWN", "Known", "KnownImages", "Rendering", "known_images", "known_in"]

UNKNOWN = "it needs images of known features (source: factors)"


@dataclass(frozen=True)
class Rendering:
    """How features get into the inputs, so that images can be made in which one of them is another.

    Parameters
    ----------
    values : Tensor
        float64 (N, n): the amplitude of each feature in each image, 0 where it is absent.
    patches : Tensor
        float32 (n, C, k, k): what a feature of amplitude 1 adds to the inputs in its tile.
    amplitude : Tensor
        float64 (n,): the largest amplitude of each feature, its availability.
    importance : Tensor
        float64 (n,): the weight of each feature in the loss.
    presence : float
        The probability with which each feature is present.
    """

    values: Tensor
    patches: Tensor
    amplitude: Tensor
    importance: Tensor
    presence: float


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
    rendering : Rendering, optional
        How the features get into the images.
    """

    inputs: Tensor
    present: Tensor
    places: Tensor
    tiles: int = 1
    rendering: Rendering | None = None

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
        return self.take(torch.arange(0, len(self), 2))

    def take(self, rows: Tensor) -> "Known":
        """Return some of the images, int64 (M,)."""
        rendering = self.rendering and replace(self.rendering, values=self.rendering.values[rows])
        return Known(self.inputs[rows], self.present[rows], self.places[rows], self.tiles, rendering)

    def with_feature(self, feature: int, amplitude: Tensor) -> "Known":
        """Return the images with one feature at other amplitudes, float64 (N,); only their inputs are changed.

        Pixels are neither rounded nor clipped again.
        """
        assert self.rendering is not None
        patch = self.rendering.patches[feature]
        change = (amplitude - self.rendering.values[:, feature]).to(patch).view(-1, 1, 1, 1) * patch
        inputs, side = self.inputs.clone(), patch.shape[-1]
        for place in self.places[:, feature].unique().tolist():
            here = self.places[:, feature] == place
            row, column = (side * each for each in divmod(place, self.tiles))
            inputs[here, :, row : row + side, column : column + side] += change[here]
        return replace(self, inputs=inputs)


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
    values = torch.cat([dataset.values(split) for split in held_out])[rows]
    rendering = _rendering(dataset, pixels[rows], values, places.long())
    known = Known(inputs, present[:, :n], places[:, :n].long(), dataset.templates.tiles, rendering)
    return KnownImages(inputs[shown], strongest[shown], dataset.classes, known)


def _rendering(dataset: KnownFeatures, pixels: Tensor, values: Tensor, places: Tensor) -> Rendering:
    """Return how the features of a data set get into its images.

    Templates in a tile are orthogonal and have no mean, so the projection of a tile on one of them is its amplitude
    times the pixel units of length 1, but for noise. The units are the least-squares slope over all that are present.
    """
    assert dataset.templates is not None
    assert dataset.dose is not None
    n, tiles = dataset.features, dataset.templates.tiles
    patterns = torch.from_numpy(dataset.templates.patterns[:n]).float()
    side = patterns.shape[-1]
    grid = pixels[:, :, : side * tiles, : side * tiles].float().unflatten(3, (tiles, side)).unflatten(2, (tiles, side))
    grid = grid.permute(0, 2, 4, 1, 3, 5).reshape(len(pixels), tiles**2, -1)  # (N, tiles^2, C k k)
    row, feature = (values[:, :n] > 0).nonzero(as_tuple=True)
    shown = (grid[row, places[row, feature]] * patterns[feature].flatten(1)).sum(1).double()
    present = values[row, feature]
    units = (shown * present).sum() / (present**2).sum()
    patches = patterns * units.float() / dataset.std.view(1, -1, 1, 1)
    amplitude, importance = (
        torch.from_numpy(each)[:n] for each in (dataset.templates.amplitude, dataset.templates.importance)
    )
    return Rendering(values[:, :n], patches, amplitude, importance, dataset.dose.presence)


def known_in(context: Context) -> Known | None:
    """Return the images of a context with what is in them; None if that is not known."""
    return getattr(context.images, "known", None)
