import gzip
import hashlib
import struct

import pytest

from lowparam.data.sources import fashion_mnist
from lowparam.errors import LowparamError
from lowparam.params import Data

installed = pytest.mark.skipif(
    not fashion_mnist.DEBIAN.is_dir(), reason="needs the Debian package dataset-fashion-mnist"
)


@pytest.fixture
def files(tmp_path):
    """The four files, which a test may change."""
    for path in fashion_mnist.DEBIAN.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def read(folder):
    return fashion_mnist.read("fashion_mnist", Data(source="fashion_mnist", path=str(folder)))


@installed
def test_the_debian_files_hold_all_images():
    splits, classes = fashion_mnist.read("fashion_mnist", Data(source="fashion_mnist"))
    assert splits["train"].pixels.shape == (60_000, 1, 28, 28)
    assert splits["test"].pixels.shape == (10_000, 1, 28, 28)
    assert splits["train"].labels.bincount().tolist() == [6_000] * 10
    assert splits["test"].labels.bincount().tolist() == [1_000] * 10
    assert len(classes) == 10
    # Mean and deviation of the training pixels as they are used in the literature: 0.2860 and 0.3530.
    pixels = splits["train"].pixels.double() / 255
    assert pixels.mean().item() == pytest.approx(0.2860, abs=5e-5)
    assert pixels.std().item() == pytest.approx(0.3530, abs=5e-5)


@installed
def test_the_first_images_are_what_the_authors_show():
    """The first training image is an ankle boot, the second a T-shirt (README of zalandoresearch/fashion-mnist)."""
    splits, classes = fashion_mnist.read("fashion_mnist", Data(source="fashion_mnist"))
    assert [classes[label] for label in splits["train"].labels[:2].tolist()] == ["Ankle boot", "T-shirt/top"]


@installed
@pytest.mark.parametrize(
    ("name", "seconds"),  # when the authors packed it, since 1970: found by trying
    [
        ("train-images-idx3-ubyte", 1504176606),
        ("train-labels-idx1-ubyte", 1504176606),
        ("t10k-images-idx3-ubyte", 1504176627),
        ("t10k-labels-idx1-ubyte", 1504176627),
    ],
)
def test_debian_only_changed_the_headers_of_the_published_files(name, seconds):
    """So the hashes of the unpacked files hold for the authors' files too."""
    packed = (fashion_mnist.DEBIAN / f"{name}.gz").read_bytes()
    header = b"\x1f\x8b\x08\x08" + struct.pack("<I", seconds) + b"\x00\x03" + name.encode() + b"\0"
    assert "sha256:" + hashlib.sha256(header + packed[10:]).hexdigest() == fashion_mnist.PACKED[name]


@installed
def test_a_truncated_file_is_refused_by_name(files):
    path = files / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:1_000_000])
    with pytest.raises(LowparamError, match=r"train-images-idx3-ubyte\.gz is damaged \(.*\); fetch http") as caught:
        read(files)
    assert "\n" not in str(caught.value)


@installed
def test_another_content_is_refused_by_name(files):
    path = files / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[100] ^= 1
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(LowparamError, match=r"t10k-labels-idx1-ubyte\.gz is not the file that was published"):
        read(files)


@installed
def test_unpacked_files_will_do(files):
    for path in list(files.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert len(read(files)[0]["test"]) == 10_000


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LowparamError, match=r"train-images-idx3-ubyte\.gz does not exist; fetch http.* and put it"):
        read(tmp_path)
