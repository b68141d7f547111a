"""Decode image files to pixels of one size and mode: the one way, for training, evaluation, baseline and profile.

`upright` opens a file as an 8-bit picture the right way up, and `square` scales and crops that. Only training with
random changes puts something between the two.
"""

import math
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import torch
from PIL import Image, ImageOps, TiffTags, UnidentifiedImageError
from torch import Tensor

__all__ = ["declared_range", "decode", "find_range", "fit", "square", "tag", "to_array", "to_tensor", "upright"]

Range = Sequence[float]
"""The two values that are black and white."""

SIXTEEN_BITS = 2**16 - 1
TAGS = {tag.name: number for number, tag in TiffTags.TAGS_V2.items()}


def decode(content: bytes, size: int, channels: int, value_range: Range | None = None) -> np.ndarray:
    """Decode an image, apply its EXIF orientation, and scale and center-crop it to a square.

    Parameters
    ----------
    content : bytes
        An image file in any format and mode that PIL reads; of a sequence, the first image.
    size : int
        Height and width of the result in pixels.
    channels : int
        3 for red, green and blue, 1 for grey.
    value_range : two numbers, optional
        The values that are black and white in images of more than 8 bits; by default what the file declares, or has
        (`find_range`).

    Returns
    -------
    ndarray
        uint8 of shape (channels, size, size).

    Raises
    ------
    ValueError
        If the image is damaged or incomplete, or its range is ambiguous; the message is the reason.
    """
    return to_array(square(upright(content, channels, least=2 * size, value_range=value_range), size))


def upright(content: bytes, channels: int, *, least: int, value_range: Range | None = None) -> Image.Image:
    """Decode an image to mode RGB or L, the right way up, with transparency put on white.

    Parameters, errors and the rest are as in `decode`.

    Parameters
    ----------
    content, channels, value_range
        As in `decode`.
    least : int
        A JPEG is decoded at a fraction of its size if height and width remain at least so many pixels.
    """
    try:
        image = Image.open(BytesIO(content))
        image.draft(None, (least, least))
        return _plain(image, channels, value_range)
    except Exception as error:  # PIL's decoders raise all kinds of errors for broken files
        raise ValueError(_reason(content, error)) from error


def _reason(content: bytes, error: Exception) -> str:
    """Say why an image cannot be decoded; Pillow says of what it does not know where in memory it is."""
    if not content:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        begins = content[:16].decode("ascii", "backslashreplace").strip()
        return f"Pillow knows no image that begins as {begins!r}"
    return " ".join(str(error).split()) or type(error).__name__


def square(image: Image.Image, size: int) -> Image.Image:
    """Scale the largest square about the centre of an image to `size` pixels."""
    return ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)


def fit(image: Image.Image, size: int, channels: int, value_range: Range | None = None) -> np.ndarray:
    """Treat a PIL image as `decode` treats a file. Parameters, result and errors are as there."""
    return to_array(square(_plain(image, channels, value_range), size))


def to_array(image: Image.Image) -> np.ndarray:
    """Return the pixels of an image of mode RGB or L, uint8 (channels, height, width)."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def to_tensor(image: Image.Image) -> Tensor:
    """Return the pixels of an image of mode RGB or L, uint8 (channels, height, width), in memory of their own."""
    return torch.from_numpy(to_array(image).copy())


def _plain(image: Image.Image, channels: int, value_range: Range | None) -> Image.Image:
    """Return an image upright, with 8 bits, on white, and in mode RGB or L."""
    turned = ImageOps.exif_transpose(image)
    wide = image.mode == "F" or image.mode.startswith("I")
    image = _eight_bits(image, np.asarray(turned), value_range) if wide else turned
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB" if channels == 3 else "L")


def _eight_bits(image: Image.Image, values: np.ndarray, value_range: Range | None) -> Image.Image:
    """Scale the values of an image of mode I or F so that its range becomes 0 to 255."""
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("some of its values are not finite numbers")
    low, high = value_range or find_range(image, values)
    values = (values - low) * (255 / (high - low))
    if tag(image, "PhotometricInterpretation") == 0:  # white is zero, which PIL only heeds up to 8 bits
        values = 255 - values
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))


def find_range(image: Image.Image, values: np.ndarray) -> Range:
    """Find which values are black and white in an image of mode I or F.

    1. What the file declares: the bits of a value if they are fewer than 16, or, in a TIFF, SMaxSampleValue or
       MaxSampleValue (and SMinSampleValue if it is negative), rounded up to all bits.
    2. Otherwise the first of these that all values are in: 0 to 1 if they are floating-point numbers; 0 to 255 unless
       they are of 16 bits; 0 to 65535. But whole numbers whose largest is below a sixteenth of the range, such as 4095
       of 65535, may be of fewer bits, and floating-point ones in (1, 16) may have left the range of 0 to 1.

    Raises
    ------
    ValueError
        If values are negative, or none of these fits.
    """
    lowest, highest, floating = float(values.min()), float(values.max()), image.mode == "F"
    if (declared := declared_range(image, floating)) is not None and declared[0] <= lowest and highest <= declared[1]:
        return declared
    if lowest == highest == 0 or (floating and lowest >= 0 and highest <= 1):
        return 0, 1
    limits = [SIXTEEN_BITS] if image.mode.startswith("I;16") else [255, SIXTEEN_BITS]
    for limit in limits:
        if lowest >= 0 and (limit + 1) / 16 <= highest <= limit:
            return 0, limit
    raise ValueError(
        f"its values are from {lowest:g} to {highest:g}, and which of them are black and white is not declared; "
        "set value_range"
    )


def declared_range(image: Image.Image, floating: bool) -> Range | None:
    """Return the range that a file declares, or None."""
    if image.format == "PPM":  # has its largest value in its header, by which PIL has scaled whole numbers
        return None if floating else (0, SIXTEEN_BITS)
    bits = tag(image, "BitsPerSample")
    high = tag(image, "SMaxSampleValue") or tag(image, "MaxSampleValue")
    if high is None or high <= 0:
        return (0, 2**bits - 1) if bits is not None and bits < 16 else None
    low = min(0, tag(image, "SMinSampleValue") or 0)
    if floating:
        return low, max(1, high)
    return low, 2 ** math.ceil(math.log2(high + 1)) - 1


def tag(image: Image.Image, name: str) -> float | None:
    """Return the first value of a TIFF tag; None if there is none, or the image is of another format."""
    tags = getattr(image, "tag_v2", {})
    value = tags.get(TAGS[name])
    return value[0] if isinstance(value, tuple) else value
