"""Check how the values of images in a folder are to be read, before any image is scaled.

`decode.py` finds the range of each image alone: what the file declares, or what its values suggest. What that cannot
tell is refused here, where it matters:

- A guess that differs from one image to the next: one that is dark, or of another camera, would be scaled by another
  range than the others.
- Values that are not in the range that the file declares, or are signed, or are shifted as in FITS.
- Sixteen bits a value in several channels, of which Pillow keeps the upper eight: too dark if they hold fewer bits, and
  out of the reach of ``value_range``.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from lowparam.data.dataset import Files
from lowparam.data.decode import declared_range, find_range, tag
from lowparam.errors import LowparamError
from lowparam.waiting import waiting

__all__ = ["check_ranges"]

EIGHT_BITS = {"AVIF", "BMP", "GIF", "ICNS", "ICO", "JPEG", "MPO", "PCX", "PSD", "TGA", "WEBP", "XBM"}
"""Formats of which Pillow reads no image with more than 8 bits a value."""
SIGNED = 2  # SampleFormat of a TIFF
LEAST = 16  # of 256: what is darker may have 12 bits or fewer

Guess = tuple[str, tuple[float, float]]
"""Mode of an image, and the range that its values suggest."""
Found = Guess | str | None
"""A guess, or in words why an image is refused; None if there is nothing to guess."""


def check_ranges(files: Sequence[Files], key: str, value_range: Sequence[float] | None) -> None:
    """Check the images of more than 8 bits among some files; the others are not opened, or not beyond their header.

    Parameters
    ----------
    files : sequence of Files
        The images.
    key : str
        The key of the data set in params.yaml, for messages.
    value_range : (float, float) or None
        Which values are black and white, if the settings tell.

    Raises
    ------
    LowparamError
        For the first image whose values cannot be told, or if the images suggest different ranges.
    """
    paths = [split[row][0] for split in files for row in range(len(split))]
    paths = [path for path in paths if not _has_eight_bits(path)]
    cores = len(os.sched_getaffinity(0))
    # Threads, because PIL releases the interpreter lock while it decodes.
    parallel = Parallel(n_jobs=cores, backend="threading", return_as="generator")
    looked = list(_counted(parallel(delayed(_look)(path, value_range) for path in paths), len(paths)))
    guesses: dict[str, dict[tuple[float, float], str]] = {}
    for path, found in zip(paths, looked, strict=True):
        name = os.path.relpath(path, files[0].root)
        if isinstance(found, str):
            raise LowparamError(f"{key}: {name}: {found}")
        if found is not None:
            mode, suggested = found
            guesses.setdefault(mode, {}).setdefault(suggested, name)
    for ranges in guesses.values():
        if len(ranges) > 1:
            named = " and ".join(f"{low:g} to {high:g} ({name})" for (low, high), name in sorted(ranges.items())[:2])
            raise LowparamError(
                f"{key}: the values of some images suggest {named}, and which of them are black and white is not "
                f"declared; set {key}.value_range"
            )


def _counted(found: Iterable[Found], count: int) -> Iterator[Found]:
    with waiting("looking at the range of images", count) as done:
        for each in found:
            yield each
            done()


def _has_eight_bits(path: str) -> bool:
    """Whether the name of a file tells that its image has 8 bits a value."""
    Image.init()
    return Image.registered_extensions().get(os.path.splitext(path)[1].lower()) in EIGHT_BITS


def _look(path: str, value_range: Sequence[float] | None) -> Found:
    """Return what the values of an image suggest, or in words why it is refused; None if there is nothing to guess."""
    try:
        with Image.open(path) as image:
            if image.format == "FITS" and (image.mode == "I;16" or _is_shifted(path)):
                return "its values are signed or shifted (BZERO), which Pillow does not heed; save it in another format"
            if image.mode == "F" or image.mode.startswith("I"):
                return None if value_range else _suggested(image)
            if tag(image, "SampleFormat") == SIGNED:
                return "its values are signed, which Pillow does not heed; save it with values from 0 to 255"
            return _look_at_colours(image, value_range) if _has_sixteen_bits(image) else None
    except Exception:  # what cannot be decoded is listed with its reason where images are decoded
        return None


def _is_shifted(path: str) -> bool:
    """Whether the header of a FITS file, which ends with END, shifts or scales the values."""
    with Path(path).open("rb") as file:
        while (card := file.read(80)).strip() and not card.startswith(b"END "):
            if card.startswith((b"BZERO ", b"BSCALE ")):
                return True
    return False


def _suggested(image: Image.Image) -> Found:
    """Do the same for an image of mode I or F."""
    values = np.asarray(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if (declared := declared_range(image, image.mode == "F")) is not None:
        if declared[0] <= low and high <= declared[1]:
            return None
        return (
            f"its values are from {low:g} to {high:g}, but it declares {declared[0]:g} to {declared[1]:g}; "
            "set value_range"
        )
    if low == high == 0 or not np.isfinite(values).all():
        return None
    first, last = find_range(image, values)
    if tag(image, "SampleFormat") == SIGNED and tag(image, "BitsPerSample") == 16 and last > 255:
        return f"its values are signed, and the largest is {high:g}; set value_range"
    return image.mode, (float(first), float(last))


def _has_sixteen_bits(image: Image.Image) -> bool:
    """Whether Pillow drops the lower half of the bits of an image; its decoder is told the mode of the file."""
    told = [part for tile in image.tile for part in (tile.args if isinstance(tile.args, tuple) else (tile.args,))]
    return any(isinstance(part, str) and ";16" in part for part in told)


def _look_at_colours(image: Image.Image, value_range: Sequence[float] | None) -> str | None:
    if value_range:
        return "it has 16 bits a value in several channels, for which value_range is not; save it with 8 bits a value"
    brightest = int(np.asarray(image.convert("RGB")).max())
    if brightest < LEAST:
        return (
            "it has 16 bits a value in several channels and uses the lower 12 or fewer, and Pillow reads the upper 8 "
            "alone; save it with 8 bits a value"
        )
    return None
