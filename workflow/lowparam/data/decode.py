"""Decode image files to pixels of one size and mode."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

__all__ = ["decode", "fit"]


def decode(content: bytes, size: int, channels: int) -> np.ndarray:
    """Decode an image, apply its EXIF orientation, and scale and center-crop it to a square.

    Parameters
    ----------
    content : bytes
        An image file in any format and mode that PIL reads; of a sequence, the first image.
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
        If the image is damaged or incomplete; the message is the reason.
    """
    try:
        image = Image.open(BytesIO(content))
        image.draft(None, (2 * size, 2 * size))  # decode a JPEG at a fraction of its size if that is enough
        return fit(image, size, channels)
    except Exception as error:  # PIL's decoders raise all kinds of errors for broken files
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def fit(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """Apply the EXIF orientation of a PIL image, put transparency on white, and scale and center-crop it to a square.

    Parameters and result are as in `decode`.
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
