"""The 1,797 handwritten digits of 8x8 pixels that come with scikit-learn (test split of UCI's optdigits)."""

import torch
from sklearn.datasets import load_digits

from lowparam.data import Images
from lowparam.params import Data

__all__ = ["CITATION", "LICENCE", "OPTIONS", "read", "shape"]

CITATION = "Alpaydin, E. and Kaynak, C. (1998). Optical Recognition of Handwritten Digits. UCI, doi:10.24432/C50P49"
LICENCE = "CC BY 4.0"
OPTIONS = ()


def shape(name: str, data: Data) -> dict[str, int]:
    """Return the number of classes, channels and pixels."""
    return {"classes": 10, "in_channels": 1, "size": 8}


def read(name: str, data: Data) -> tuple[dict[str, Images], list[str]]:
    """Return all digits without a split, with pixels from 0 to 16 in one channel."""
    bunch = load_digits()
    pixels = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).long()
    return {"all": Images(pixels, labels)}, [str(name) for name in bunch.target_names]
