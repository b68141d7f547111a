from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lowparam.data.decode import decode

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
