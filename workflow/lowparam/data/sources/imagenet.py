"""ImageNet-1k (ILSVRC 2012) as folders: train/n01440764/*.JPEG and val/n01440764/*.JPEG.

It is only available from image-net.org after agreeing to its terms, so nothing is downloaded here.
"""

import torch

from lowparam.data import Files
from lowparam.data.sources import image_folder
from lowparam.errors import LowparamError
from lowparam.params import Data

__all__ = ["CITATION", "LICENCE", "MEAN_STD", "OPTIONS", "read", "shape"]

CITATION = "Russakovsky, O. et al. (2015). ImageNet Large Scale Visual Recognition Challenge. IJCV 115, 211-252"
LICENCE = "terms of access of image-net.org: non-commercial research and education; images belong to their owners"
OPTIONS = ("path", "size", "stream", "skip_bad")
CLASSES = 1000
# Of the training images at 224 pixels, as everywhere in the literature.
MEAN_STD = 255 * torch.tensor([0.485, 0.456, 0.406]), 255 * torch.tensor([0.229, 0.224, 0.225])


def shape(name: str, data: Data) -> dict[str, int]:
    """Return the number of classes, channels and pixels, without checking whether the images exist."""
    return {"classes": CLASSES, "in_channels": 3, "size": data.size or 224}


def read(name: str, data: Data) -> tuple[dict[str, Files], list[str]]:
    """Return the files and the names of the classes, which are WordNet identifiers.

    Raises
    ------
    LowparamError
        If the folder does not exist or does not have all classes in train and val.
    """
    try:
        splits, classes = image_folder.read(name, data)
    except LowparamError as error:
        raise LowparamError(
            f"{error}; get ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from image-net.org (docs/data.md)"
        ) from error
    if len(classes) != CLASSES or "all" in splits:
        raise LowparamError(f"data.{name}.path: {data.path} should have train and val with {CLASSES} classes each")
    return splits, classes
