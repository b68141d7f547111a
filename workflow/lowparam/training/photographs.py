"""Random changes of photographs, one at a time, while training reads them from disk.

A photograph is cut, mirrored and recoloured before it becomes pixels; without random changes the pixels are those of
`lowparam.data.decode.decode`, which evaluation, baseline and profile use as well.
"""

import math
from collections.abc import Callable

from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from torch import Tensor
from torchvision.transforms import v2

from lowparam.data.decode import square, to_tensor
from lowparam.errors import LowparamError
from lowparam.params import Augment

__all__ = ["PhotographChanges"]


class PhotographChanges:
    """Turn a photograph into pixels, with the random changes of a recipe.

    Parameters
    ----------
    augment : Augment
        What to change.
    size : int
        Height and width of the result in pixels.
    mean : Tensor
        Mean of the training images per channel, from 0 to 255, of shape (3,): what comes in from outside the image.

    Raises
    ------
    LowparamError
        If timm does not know what ``rand_augment`` requires.
    """

    def __init__(self, augment: Augment, size: int, mean: Tensor) -> None:
        cuts, grey = augment.crop_area < 1, [round(value) for value in mean.tolist()]
        self.size = size
        self.least = math.ceil(2 * size / math.sqrt(augment.crop_area))
        """Pixels of height and width that a decoded photograph needs for its smallest crop."""
        crop = v2.RandomResizedCrop(size, scale=(augment.crop_area, 1.0), interpolation=v2.InterpolationMode.BICUBIC)
        self.cut: Callable[[Image.Image], Image.Image] = crop if cuts else self._square
        self.changes: list[Callable] = []
        if augment.flip:
            self.changes.append(v2.RandomHorizontalFlip())
        if augment.rand_augment:
            self.changes.append(_rand_augment(augment.rand_augment, size, grey))
        elif augment.color_jitter:
            self.changes.append(v2.ColorJitter(*[augment.color_jitter] * 3))
        self.erase = v2.RandomErasing(augment.erasing, value=[float(value) for value in grey])

    def __call__(self, photograph: Image.Image) -> Tensor:
        """Return pixels, uint8 (3, size, size)."""
        image = self.cut(photograph)
        for change in self.changes:
            image = change(image)
        return self.erase(to_tensor(image))

    def _square(self, photograph: Image.Image) -> Image.Image:
        return square(photograph, self.size)


def _rand_augment(wanted: str, size: int, grey: list[int]) -> Callable[[Image.Image], Image.Image]:
    """Return timm's RandAugment (Cubuk et al. 2020), with its usual settings."""
    settings = {"translate_const": int(0.45 * size), "img_mean": tuple(grey), "interpolation": Image.Resampling.BICUBIC}
    try:
        transform = rand_augment_transform(wanted, settings)
    except (AssertionError, KeyError, ValueError) as error:
        raise LowparamError(
            f"recipes.yaml: augment.rand_augment: timm knows no {wanted!r}; write it such as rand-m9-mstd0.5-inc1"
        ) from error
    for change in transform.ops:
        if change.name.startswith("Posterize"):
            change.level_fn = _AtLeastOneBit(change.level_fn)
    return transform


class _AtLeastOneBit:
    """Keep one bit where timm requires none at the strongest level, which Pillow refuses."""

    def __init__(self, bits: Callable) -> None:
        self.bits = bits

    def __call__(self, level: float, settings: dict) -> tuple[int]:
        return (max(1, self.bits(level, settings)[0]),)
