"""Fashion-MNIST: 70,000 grey images of 28x28 pixels in ten classes of clothes, as four files in the format of MNIST.

They are read from ``path`` if given, else from the Debian package dataset-fashion-mnist if installed, else downloaded
into the cache. The hashes are of the unpacked files, because Debian compresses them again: with the authors' gzip
headers restored, Debian's files have the published hashes.
"""

import gzip
import hashlib
import zlib
from pathlib import Path

import torch

from lowparam.data import Images
from lowparam.data.download import cache, fetch
from lowparam.errors import LowparamError
from lowparam.params import Data

__all__ = ["CITATION", "FILES", "LICENCE", "OPTIONS", "read", "shape"]

CITATION = "Xiao, H., Rasul, K. and Vollgraf, R. (2017). Fashion-MNIST. arXiv:1708.07747"
LICENCE = "MIT"
OPTIONS = ("path",)
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
)
FILES = {
    "train-images-idx3-ubyte": "sha256:c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "sha256:bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "sha256:5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "sha256:0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
PACKED = {
    "train-images-idx3-ubyte": "sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte": "sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte": "sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte": "sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}


def shape(name: str, data: Data) -> dict[str, int]:
    """Return the number of classes, channels and pixels."""
    return {"classes": 10, "in_channels": 1, "size": 28}


def read(name: str, data: Data) -> tuple[dict[str, Images], list[str]]:
    """Return 60,000 training and 10,000 test images.

    Raises
    ------
    LowparamError
        If a file is missing, damaged, or not the one that was published.
    """
    folder = find(data.path)
    splits = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        pixels = unpack(folder, f"{prefix}-images-idx3-ubyte")[16:].reshape(-1, 1, 28, 28)
        splits[split] = Images(pixels, unpack(folder, f"{prefix}-labels-idx1-ubyte")[8:].long())
    return splits, CLASSES


def find(path: str | None) -> Path:
    """Return the folder of the four files; download them if they are not installed."""
    if path is not None:
        return Path(path).expanduser()
    if DEBIAN.is_dir():
        return DEBIAN
    folder = cache("fashion_mnist")
    for name, checksum in PACKED.items():
        fetch([f"{mirror}/{name}.gz" for mirror in MIRRORS], folder / f"{name}.gz", checksum)
    return folder


def unpack(folder: Path, name: str) -> torch.Tensor:
    """Read a file, compressed or not, verify its hash, and return its bytes as uint8 (bytes,)."""
    path = folder / name
    packed = folder / f"{name}.gz"
    try:
        content = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    except FileNotFoundError as error:
        raise LowparamError(f"{packed} does not exist; fetch {MIRRORS[0]}/{name}.gz and put it there") from error
    except (OSError, EOFError, zlib.error) as error:
        raise LowparamError(f"{packed} is damaged ({error}); fetch {MIRRORS[0]}/{name}.gz again") from error
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != FILES[name]:
        raise LowparamError(f"{path if path.exists() else packed} is not the file that was published; fetch it again")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)
