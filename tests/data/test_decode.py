from io import BytesIO

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from lowparam.data.decode import TAGS, decode

LEFT, RIGHT = (200, 40, 20), (10, 60, 220)


def halves(width: int = 64, height: int = 64) -> Image.Image:
    """An image whose left half is red and whose right half is blue."""
    image = Image.new("RGB", (width, height), LEFT)
    image.paste(RIGHT, (width // 2, 0, width, height))
    return image


def content(image: Image.Image, form: str = "PNG", **options) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def near(pixels: np.ndarray, colour, tolerance: int = 6) -> bool:
    return bool((np.abs(pixels.astype(int).reshape(len(colour), -1) - np.array(colour)[:, None]) <= tolerance).all())


def test_colours_and_places_are_kept():
    pixels = decode(content(halves()), 16, 3)
    assert pixels.shape == (3, 16, 16)
    assert pixels.dtype == np.uint8
    assert near(pixels[:, :, :6], LEFT)
    assert near(pixels[:, :, 10:], RIGHT)


def test_grey_is_the_luma_of_the_colour():
    red, green, blue = LEFT
    luma = 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R 601
    assert near(decode(content(halves()), 16, 1)[:, :, :6], [luma], 1)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "RGB"])
def test_jpegs_of_any_mode_look_the_same(mode):
    pixels = decode(content(halves().convert(mode), "JPEG", quality=95), 16, 3)
    assert near(pixels[:, 4:12, 2:6], LEFT)
    assert near(pixels[:, 4:12, 10:14], RIGHT)


def test_palettes_and_grey_images_become_colours():
    assert near(decode(content(halves().convert("P")), 16, 3)[:, :, :6], LEFT, 30)
    grey = decode(content(halves().convert("L")), 16, 3)
    assert (grey[0] == grey[1]).all() and (grey[1] == grey[2]).all()


def test_sixteen_bits_are_scaled_to_eight():
    ramp = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    pixels = decode(content(Image.fromarray(ramp)), 32, 1)[0]
    assert np.abs(pixels.astype(int) - ramp / 257).max() <= 1


RAMP = np.linspace(0, 1, 32 * 32).reshape(32, 32)


def tiff(values: np.ndarray, **tags: float) -> bytes:
    """A TIFF of these values, with tags by name."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        info[TAGS[name]] = value
    return content(Image.fromarray(values), "TIFF", tiffinfo=info)


def shows_the_ramp(pixels: np.ndarray, tolerance: float = 1.0) -> bool:
    return bool(np.abs(pixels[0].astype(float) - 255 * RAMP).max() <= tolerance)


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(tiff(RAMP.astype(np.float32)), id="floating, 0 to 1"),
        pytest.param(tiff((255 * RAMP).astype(np.float32)), id="floating, 0 to 255"),
        pytest.param(tiff((65535 * RAMP).astype(np.float32)), id="floating, 0 to 65535"),
        pytest.param(tiff((255 * RAMP).astype(np.int32)), id="32 bits, 0 to 255"),
        pytest.param(tiff((65535 * RAMP).astype(np.int32)), id="32 bits, 0 to 65535"),
        pytest.param(tiff((65535 * RAMP).astype(np.uint16)), id="16 bits"),
        pytest.param(tiff((4000 * RAMP * 4095 / 4000).astype(np.uint16), MaxSampleValue=4000), id="12 bits, declared"),
        pytest.param(
            tiff((2 * RAMP - 1).astype(np.float32), SMinSampleValue=-1.0, SMaxSampleValue=1.0), id="-1 to 1, declared"
        ),
        pytest.param(b"P5 32 32 1000\n" + (1000 * RAMP).astype(">u2").tobytes(), id="PGM up to 1000"),
        pytest.param(b"Pf\n32 32\n-1\n" + RAMP[::-1].astype("<f4").tobytes(), id="PFM"),
    ],
)
def test_values_of_more_than_eight_bits_are_scaled_by_the_range_that_the_file_declares_or_has(file):
    assert shows_the_ramp(decode(file, 32, 1))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param((4095 * RAMP).astype(np.uint16), id="12 bits in 16"),
        pytest.param((255 * RAMP).astype(np.uint16), id="8 bits in 16"),
        pytest.param((1023 * RAMP).astype(np.int32), id="10 bits in 32"),
        pytest.param((100000 * RAMP).astype(np.int32), id="17 bits"),
        pytest.param((2 * RAMP - 1).astype(np.float32), id="-1 to 1"),
        pytest.param((1.02 * RAMP).astype(np.float32), id="a little above 1"),
        pytest.param((RAMP > 0.5).astype(np.int32), id="a mask"),
    ],
)
def test_a_range_that_is_ambiguous_is_refused_until_it_is_set(values):
    with pytest.raises(ValueError, match=r"^its values are from .*; set value_range$"):
        decode(tiff(values), 32, 1)
    tolerance = 128 if set(np.unique(values)) == {0, 1} else 1.0
    assert shows_the_ramp(decode(tiff(values), 32, 1, (float(values.min()), float(values.max()))), tolerance)


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        decode(tiff(np.full((8, 8), np.nan, np.float32)), 8, 1)


def test_a_black_image_of_many_bits_is_black():
    assert (decode(tiff(np.zeros((8, 8), np.uint16)), 8, 1) == 0).all()


def test_where_white_is_zero_values_are_turned_round():
    assert shows_the_ramp(decode(tiff((65535 * (1 - RAMP)).astype(np.uint16), PhotometricInterpretation=0), 32, 1))


def test_what_is_transparent_is_white():
    image = halves().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    assert near(decode(content(image), 8, 3), (255, 255, 255))


def test_orientation_of_a_camera_is_undone():
    sideways = halves().transpose(Image.Transpose.ROTATE_90)  # as a camera on its side stores it
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to view"
    pixels = decode(content(sideways, exif=exif), 16, 3)
    assert near(pixels[:, :, :6], LEFT)


@pytest.mark.parametrize(("width", "height"), [(301, 50), (50, 301), (7, 5)])
def test_the_middle_of_an_odd_size_is_kept(width, height):
    pixels = decode(content(halves(width, height)), 16, 3)
    assert pixels.shape == (3, 16, 16)
    assert near(pixels[:, :, :4], LEFT, 40)
    assert near(pixels[:, :, 12:], RIGHT, 40)


@pytest.mark.parametrize(
    "broken",
    [b"", b"no image", content(halves(), "JPEG")[:400], content(halves())[:100]],
    ids=["empty", "text", "cut JPEG", "cut PNG"],
)
def test_what_is_no_whole_image_is_refused(broken):
    with pytest.raises(ValueError, match=r"\w"):
        decode(broken, 16, 3)
