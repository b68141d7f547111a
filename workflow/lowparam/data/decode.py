"""From an image file to pixels of one size and mode."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

__all__ = ["decode", "fit"]


def decode(content: bytes, size: int, channels: int) -> np.ndarray:
    """Decode an image, turn it upright, and scale and crop it to a square about its centre.

    Parameters
    ----------
    content : bytes
        An image file in any format and mode that PIL reads; of a sequence, its first image counts.
    size : int
        Height and width of the result in pixels.
    channels : int
        3 for red, green and blue, 1 for grey.

    Returns
    -------
    ndarray
        uint8 of shape (channels, size, size).

    Raises
    ------
    ValueError
        If this is no whole image; says why.
    """
    try:
        image = Image.open(BytesIO(content))
        image.draft(None, (2 * size, 2 * size))  # a JPEG is decoded at a fraction of its size where that is enough
        return fit(image, size, channels)
    except Exception as error:  # decoders of PIL raise what they like at broken files
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def fit(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """Turn a PIL image upright, put transparency on white, and scale and crop it to a square about its centre.

    The parameters and the result are those of `decode`.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits, which PIL would clip
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB" if channels == 3 else "L")
    image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(image).reshape(size, size, channels).transpose(2, 0, 1)
