"""Tiny ImageNet: 110,000 colour images in 200 classes of ImageNet, with ``size: 64`` as published, or ``size: 32``.

The layout of both is train/<wnid>/images/<wnid>_0.JPEG, and val/images/val_0.JPEG with val/val_annotations.txt. The
images of test have no public labels, so accuracy is reported on val, as in the literature.
"""

from io import BytesIO
from pathlib import Path

import torch
from PIL import Image

from lowparam.data import Images
from lowparam.data.collection import Collection, Published, decode_images, find
from lowparam.errors import LowparamError
from lowparam.params import Data

__all__ = ["CITATION", "LICENCE", "OPTIONS", "files", "read", "shape"]

CITATION = (
    "Le, Y. and Yang, X. (2015). Tiny ImageNet Visual Recognition Challenge. Stanford University, CS 231N; images from "
    "Russakovsky, O. et al. (2015). ImageNet Large Scale Visual Recognition Challenge. IJCV 115, 211-252"
)
LICENCE = "none stated; images of ImageNet: non-commercial research and education; they belong to their owners"
OPTIONS = ("path", "size")
CLASSES, PER_CLASS, VALIDATION = 200, 500, 10_000
LISTS = ["val/val_annotations.txt", "wnids.txt", "words.txt"]
COMMIT = "17536f5460bd63802cddfccea1844857b2c0ec04"
PUBLISHED = {
    64: Published(
        url="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        archive="tiny-imagenet-200.zip",
        checksum="md5:90528d7ca1a48142e341f4ef8d21d0de",
    ),
    32: Published(
        url=f"https://github.com/DhanashriPalodkar/imageet32x32/archive/{COMMIT}.tar.gz",
        archive="imageet32x32.tar.gz",
        sha256="c08aeead8efbb2baf73e571dfb15528fb8ddd3ff8e4ef956471d66ad4e246664",
        sums=Path(__file__).with_name("tiny_imagenet_32.sums"),
    ),
}


def shape(name: str, data: Data) -> dict[str, int]:
    """Return the number of classes, channels and pixels.

    Raises
    ------
    LowparamError
        If images of this size are not published.
    """
    size = data.size or 64
    if size not in PUBLISHED:
        raise LowparamError(f"params.yaml: data.{name}.size must be 64 or 32, as published, not {size}")
    return {"classes": CLASSES, "in_channels": 3, "size": size}


def files(name: str, data: Data) -> dict[str, str]:
    """Return the checksum of what is read."""
    published = PUBLISHED[shape(name, data)["size"]]
    if published.sha256 is None:
        return {published.archive: str(published.checksum)}
    return {"names and contents of all files": f"sha256:{published.sha256}"}


def read(name: str, data: Data) -> tuple[dict[str, Images], list[str]]:
    """Return 100,000 training images, and those of val as the test split.

    Raises
    ------
    LowparamError
        If a file is missing, or differs from the published one.
    """
    size = shape(name, data)["size"]
    published = PUBLISHED[size]
    found = find(published, f"tiny_imagenet_{size}", data.path, f"data.{name}", marker="train")
    wnids = _wnids(found)
    splits = {
        "train": [(f"train/{wnid}/images/{wnid}_{n}.JPEG", wnid) for wnid in wnids for n in range(PER_CLASS)],
        "test": [(f"val/images/val_{n}.JPEG", "") for n in range(VALIDATION)],
    }
    names = [*(file for split in splits.values() for file, _ in split), *LISTS]
    found.check_names(names)
    _check_size(found, names[0], size, name)
    contents = dict(zip(names, found.contents(names, published), strict=True))
    if published.sha256 is None and found.place.name != published.archive:
        print(
            f"data.{name}: {found.place} has all files, but their contents cannot be verified: only the checksum of "
            f"{published.archive} is published",
            flush=True,
        )
    annotations = _annotations(found.place, contents[LISTS[0]].decode(), wnids)
    splits["test"] = [(file, annotations[file]) for file, _ in splits["test"]]
    labels = {wnid: label for label, wnid in enumerate(wnids)}
    images = {}
    for split, labelled in splits.items():
        its = [file for file, _ in labelled]
        pixels = decode_images([contents[file] for file in its], its, size, found.place)
        images[split] = Images(pixels, torch.tensor([labels[wnid] for _, wnid in labelled]))
    return images, _words(found.place, contents[LISTS[2]].decode(), wnids)


def _wnids(found: Collection) -> list[str]:
    wnids = sorted(set(found.text("wnids.txt").split()))
    if len(wnids) != CLASSES:
        raise LowparamError(f"{found.place}: wnids.txt should name {CLASSES} classes, not {len(wnids)}; fetch it again")
    return wnids


def _check_size(found: Collection, first: str, size: int, name: str) -> None:
    """Refuse the images of another size with the key that is right for them."""
    ((_, content),) = found.read([first])
    try:
        actual = Image.open(BytesIO(content)).width
    except OSError:  # will be named with all that differ
        return
    if actual != size and actual in PUBLISHED:
        raise LowparamError(f"{found.place} has images of {actual}×{actual} pixels; set data.{name}.size: {actual}")


def _annotations(place: Path, text: str, wnids: list[str]) -> dict[str, str]:
    """Return the class of each image of val; further columns are boxes."""
    found = {}
    for line in text.splitlines():
        file, _, rest = line.partition("\t")
        found[f"val/images/{file}"] = rest.partition("\t")[0]
    for number in range(VALIDATION):
        wnid = found.get(file := f"val/images/val_{number}.JPEG")
        if wnid not in wnids:
            raise LowparamError(f"{place}: {LISTS[0]} has no class of wnids.txt for {file}; fetch it again")
    return found


def _words(place: Path, text: str, wnids: list[str]) -> list[str]:
    words = {wnid: word for wnid, _, word in (line.partition("\t") for line in text.splitlines())}
    for wnid in wnids:
        if not words.get(wnid):
            raise LowparamError(f"{place}: words.txt has no words for {wnid}; fetch it again")
    return [words[wnid] for wnid in wnids]
