"""What the values of images mean is the same for all images of a folder, or the folder is refused."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowparam.data.sources import image_folder
from lowparam.errors import LowparamError
from lowparam.params import Data, Split

RAMP = np.linspace(0, 1, 16 * 16).reshape(16, 16)
SHORT, LONG = 3, 4  # types of values in a TIFF
SIGNED = 2


def tiff(values: np.ndarray, *, form: int, order: str = "<", highest: int = 0) -> bytes:
    """A TIFF of any type of values, which Pillow does not write; `form` is its SampleFormat."""
    channels = values.shape[2] if values.ndim == 3 else 1
    bits = 8 * values.dtype.itemsize
    pixels = values.astype(values.dtype.newbyteorder(order)).tobytes()
    entries = {
        256: (LONG, [values.shape[1]]),
        257: (LONG, [values.shape[0]]),
        258: (SHORT, [bits] * channels),
        259: (SHORT, [1]),
        262: (SHORT, [1 if channels == 1 else 2]),
        277: (SHORT, [channels]),
        278: (LONG, [values.shape[0]]),
        279: (LONG, [len(pixels)]),
        339: (SHORT, [form] * channels),
        **({281: (SHORT, [highest])} if highest else {}),
    }
    end = 8 + 2 + 12 * (len(entries) + 1) + 4  # of the entries, one of which is where the pixels begin
    large = {tag: value for tag, value in entries.items() if value[0] == SHORT and len(value[1]) > 2}
    start = end + sum(2 * len(listed) for _, listed in large.values())
    entries[273] = (LONG, [start])
    head, tail = b"", b""
    for tag, (kind, listed) in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(listed)}{'H' if kind == SHORT else 'I'}", *listed)
        if len(packed) > 4:
            packed, tail = struct.pack(f"{order}I", end + len(tail)), tail + packed
        head += struct.pack(f"{order}HHI", tag, kind, len(listed)) + packed.ljust(4, b"\0")
    first = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(entries))
    return first + head + b"\0\0\0\0" + tail + pixels


def png(values: np.ndarray) -> bytes:
    """A PNG of 16 bits in each of several channels, which Pillow does not write."""
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    colour = {2: 4, 3: 2, 4: 6}[values.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def in_channels(values: np.ndarray, channels: int) -> np.ndarray:
    """The same values in all channels; the last of two or four is opaque."""
    stacked = np.stack([values] * channels, 2)
    if channels in (2, 4):
        stacked[..., -1] = 65535
    return stacked


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with a common picture in each of two classes, in the folder where commands run."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.fromarray((255 * RAMP).astype(np.uint8)).save(tmp_path / "images" / name / "plain.png")
    return tmp_path


def read(**options) -> None:
    split = Split(train=0.5, validation=0.25, test=0.25)
    image_folder.read(
        "mine", Data(**{"source": "image_folder", "path": "images", "size": 16, "split": split} | options)
    )


def refused(says: str, **options) -> None:
    with pytest.raises(LowparamError, match=says) as caught:
        read(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("negative", [True, False])
def test_signed_values_of_eight_bits_are_refused_because_pillow_takes_them_for_others(place, order, negative):
    values = (255 * RAMP - 128 if negative else 127 * RAMP).astype(np.int8)
    (place / "images/a/signed.tif").write_bytes(tiff(values, form=SIGNED, order=order))
    refused("^data.mine: a/signed.tif: its values are signed, which Pillow does not heed; save it with values from 0")


def test_signed_values_of_sixteen_bits_do_not_reach_the_range_of_unsigned_ones(place):
    (place / "images/a/signed.tif").write_bytes(tiff((32767 * RAMP).astype(np.int16), form=SIGNED))
    refused("^data.mine: a/signed.tif: its values are signed, and the largest is 32767; set value_range$")
    read(value_range=[0, 32767])


@pytest.mark.parametrize(("kind", "dark", "bright"), [(np.float32, 1.0, 255.0), (np.int32, 255, 65535)])
def test_an_image_that_is_darker_than_the_others_is_not_scaled_by_another_range(place, kind, dark, bright):
    Image.fromarray((bright * RAMP).astype(kind)).save(place / "images/a/day.tif")
    Image.fromarray(np.zeros((8, 8), kind)).save(place / "images/a/black.tif")
    read()
    Image.fromarray((dark * RAMP).astype(kind)).save(place / "images/b/night.tif")
    refused(
        rf"^data.mine: the values of some images suggest 0 to {dark:g} \(b/night.tif\) and 0 to {bright:g} "
        r"\(a/day.tif\), and which of them are black and white is not declared; set data.mine.value_range$"
    )
    read(value_range=[0, bright])


def test_images_of_different_kinds_may_have_different_ranges(place):
    Image.fromarray(RAMP.astype(np.float32)).save(place / "images/a/floating.tif")
    Image.fromarray((65535 * RAMP).astype(np.uint16)).save(place / "images/b/deep.png")
    (place / "images/b/declared.pgm").write_bytes(b"P5 16 16 1000\n" + (1000 * RAMP).astype(">u2").tobytes())
    read()


def test_values_that_are_not_in_the_range_that_the_file_declares_are_refused(place):
    values = (5000 * RAMP).astype(np.uint16)
    (place / "images/a/odd.tif").write_bytes(tiff(values, form=1, highest=4000))
    refused("^data.mine: a/odd.tif: its values are from 0 to 5000, but it declares 0 to 4095; set value_range$")
    read(value_range=[0, 5000])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colours_of_sixteen_bits_that_use_twelve_of_them_are_refused(place, channels):
    (place / "images/a/full.png").write_bytes(png(in_channels((65535 * RAMP).astype(np.uint16), channels)))
    read()
    for most in (4095, 255):
        (place / "images/a/dark.png").write_bytes(png(in_channels((most * RAMP).astype(np.uint16), channels)))
        refused(
            "^data.mine: a/dark.png: it has 16 bits a value in several channels and uses the lower 12 or fewer, and"
        )
    refused("a/dark.png: it has 16 bits a value in several channels, for which value_range is not", value_range=[0, 9])


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_same_holds_for_tiffs(place, order):
    values = in_channels((4095 * RAMP).astype(np.uint16), 3)
    (place / "images/a/dark.tif").write_bytes(tiff(values, form=1, order=order))
    refused("^data.mine: a/dark.tif: it has 16 bits a value in several channels and uses the lower 12 or fewer")


@pytest.mark.parametrize("shift", [32768, None])
def test_values_of_fits_that_are_signed_or_shifted_are_refused(place, shift):
    cards = {"SIMPLE": "T", "BITPIX": 16, "NAXIS": 2, "NAXIS1": 16, "NAXIS2": 16} | ({"BZERO": shift} if shift else {})
    head = "".join(f"{key:<8}= {value:>20}".ljust(80) for key, value in cards.items()) + "END".ljust(80)
    values = (65535 * RAMP - 32768 if shift else 32767 * RAMP).astype(">i2")
    (place / "images/a/stars.fits").write_bytes(head.ljust(2880).encode() + values.tobytes().ljust(2880, b"\0"))
    refused(
        r"^data.mine: a/stars.fits: its values are signed or shifted \(BZERO\), which Pillow does not heed; save it"
    )


def test_files_that_cannot_be_read_and_common_photographs_are_left_to_the_decoder(place, monkeypatch):
    (place / "images/a/broken.tif").write_bytes(b"no image")
    (place / "images/a/nowhere.png").symlink_to(place / "nothing.png")
    Image.fromarray((255 * RAMP).astype(np.uint8)).save(place / "images/a/photo.jpg")
    opened = Image.open
    monkeypatch.setattr(Image, "open", lambda path: pytest.fail() if str(path).endswith(".jpg") else opened(path))
    read()
