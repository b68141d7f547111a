"""Published collections of files, from small ones that are made up: CIFAR-10 (JPEG) and Tiny ImageNet."""

import io
import os
import re
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lowparam import data
from lowparam.data import collection
from lowparam.data.prepare import prepare
from lowparam.data.sources import cifar10_jpeg, tiny_imagenet
from lowparam.errors import LowparamError
from lowparam.files import read_json
from lowparam.params import Data, Split

WORDS = {"n01443537": "goldfish, Carassius auratus", "n02124075": "Egyptian cat", "n04067472": "reel"}
SPLIT = Split(train=0.5, validation=0.5)


def jpeg(value: int, size: int) -> bytes:
    """Return a JPEG whose pixels all have a value, with a mark that makes it a file of its own."""
    stored = io.BytesIO()
    Image.new("RGB", (size, size), (value, value, value)).save(stored, "JPEG", comment=str(value))
    return stored.getvalue()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A cache of its own, and no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOWPARAM_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://192.0.2.1:9")  # for documentation: nothing is there (RFC 5737)
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:9")
    monkeypatch.setattr("lowparam.data.download.PATIENCE", 0.2)
    return tmp_path


def published_as(files: dict[str, bytes], published, sums: Path):
    sums.write_bytes(collection.sums(files))
    return replace(published, sha256=collection.digest(files), sums=sums)


@pytest.fixture
def cifar(place, monkeypatch):
    """CIFAR-10 (JPEG) with two training images and one test image a class; the pixels of a file are its number."""
    monkeypatch.setattr(cifar10_jpeg, "PER_CLASS", {"train": 2, "test": 1})
    names = [name for split in ("train", "test") for name, _ in cifar10_jpeg._files(split)]
    files = {name: jpeg(8 * number, 32) for number, name in enumerate(names)}
    known = published_as(files, cifar10_jpeg.PUBLISHED, place / "cifar.sums")
    monkeypatch.setattr(cifar10_jpeg, "PUBLISHED", known)
    return files


@pytest.fixture
def tiny(place, monkeypatch):
    """Tiny ImageNet with three classes of two images and three of val, at 32 and at 64 pixels."""
    for name, value in (("CLASSES", 3), ("PER_CLASS", 2), ("VALIDATION", 3)):
        monkeypatch.setattr(tiny_imagenet, name, value)
    # In the published order, which is not that of the labels.
    wnids = ["n02124075", "n04067472", "n01443537"]
    files = {size: {} for size in (32, 64)}
    for size, these in files.items():
        for label, wnid in enumerate(sorted(wnids)):
            for number in range(2):
                these[f"train/{wnid}/images/{wnid}_{number}.JPEG"] = jpeg(50 * label + 10 * number, size)
        for number in range(3):
            these[f"val/images/val_{number}.JPEG"] = jpeg(200 + 10 * number, size)
        annotations = "".join(f"val_{number}.JPEG\t{wnid}\t0\t32\t44\t62\n" for number, wnid in enumerate(wnids))
        these["val/val_annotations.txt"] = annotations.encode()
        these["wnids.txt"] = "\n".join(wnids).encode()
        these["words.txt"] = "".join(f"{wnid}\t{words}\n" for wnid, words in WORDS.items()).encode()
    known = published_as(files[32], tiny_imagenet.PUBLISHED[32], place / "tiny.sums")
    monkeypatch.setitem(tiny_imagenet.PUBLISHED, 32, known)
    return files


def unpack(files: dict[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def pack(files: dict[str, bytes], archive: Path, top: str = "") -> Path:
    archive.parent.mkdir(parents=True, exist_ok=True)
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as opened:
            for name, content in files.items():
                opened.writestr(top + name, content)
    else:
        with tarfile.open(archive, f"w:{archive.suffix[1:]}") as opened:
            for name, content in files.items():
                member = tarfile.TarInfo(top + name)
                member.size = len(content)
                opened.addfile(member, io.BytesIO(content))
    return archive


def read(source, **settings):
    return source.read("mine", Data(**{"source": source.__name__.rpartition(".")[2], **settings}))


def refused(message: str, source, **settings) -> None:
    with pytest.raises(LowparamError, match=message) as caught:
        read(source, **settings)
    assert "\n" not in str(caught.value)


def test_the_hash_is_what_sha256sum_prints(place):
    files = {"train/b": b"2", "train/a": b"1", "wnids.txt": b""}
    unpack(files, place / "files")
    command = "cd files && find . -type f | sed s:./:: | LC_ALL=C sort | xargs sha256sum | sha256sum"
    assert os.popen(command).read().split()[0] == collection.digest(files)


def test_cifar_as_jpeg_has_every_image_in_its_class_and_split(cifar, place):
    splits, classes = read(cifar10_jpeg, path=str(unpack(cifar, place / "images")))
    assert classes[:2] == ["airplane", "automobile"] and len(classes) == 10
    assert splits["train"].labels.tolist() == [label for label in range(10) for _ in range(2)]
    assert splits["test"].labels.tolist() == list(range(10))
    assert splits["train"].pixels[:, 0, 5, 7].tolist() == [8 * number for number in range(20)]
    assert splits["test"].pixels.shape == (10, 3, 32, 32) and splits["test"].pixels[3, 2, 0, 0] == 8 * 23


def test_pixels_are_those_of_pillow(place):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    stored = io.BytesIO()
    Image.fromarray(noise).save(stored, "JPEG", quality=75)
    pixels = collection.decode_images([stored.getvalue()], ["it"], 64, place)
    assert (pixels[0].numpy().transpose(1, 2, 0) == np.asarray(Image.open(stored))).all()


@pytest.mark.parametrize("archive", ["CIFAR-10-images.tar.gz", "master.zip", "other.tar.xz"])
@pytest.mark.parametrize("top", ["", "CIFAR-10-images-d7d05618/"])
def test_any_archive_or_folder_gives_the_same(cifar, place, archive, top):
    expected, _ = read(cifar10_jpeg, path=str(unpack(cifar, place / "images")))
    pack(
        {f"{top}README.md": b"about", **{top + name: content for name, content in cifar.items()}}, place / "a" / archive
    )
    unpack(cifar, place / "b" / "CIFAR-10-images" if top else place / "b")
    (place / "b" / ".git").mkdir()
    for folder in ("a", "b"):
        found, _ = read(cifar10_jpeg, path=str(place / folder))
        assert all(torch.equal(found[split].pixels, expected[split].pixels) for split in expected)


def test_what_is_in_the_cache_needs_no_network(cifar, place):
    unpack(cifar, place / "cache/cifar10_jpeg/CIFAR-10-images-d7d05618")
    assert len(read(cifar10_jpeg)[0]["test"]) == 10


def test_what_is_in_neither_place_is_fetched_or_named(cifar, place):
    url = re.escape(cifar10_jpeg.PUBLISHED.url)
    refused(
        f"cannot download CIFAR-10-images.tar.gz .*fetch {url} and put it into .*/cache/cifar10_jpeg$", cifar10_jpeg
    )
    refused(
        f"data.mine.path: nowhere has neither a folder train nor an archive; fetch {url}",
        cifar10_jpeg,
        path="nowhere",
    )


def test_missing_files_are_counted_and_named(cifar, place):
    folder = unpack(cifar, place / "images")
    for name in ("train/cat/0001.jpg", "test/dog/0000.jpg"):
        (folder / name).unlink()
    message = "images is incomplete: it lacks 2 of 30 files, test/dog/0000.jpg, train/cat/0001.jpg; fetch it again"
    refused(message, cifar10_jpeg, path="images")
    shutil.rmtree(folder / "test")
    refused("it lacks 11 of 30 files, test/airplane/0000.jpg, .* and 8 others; fetch", cifar10_jpeg, path="images")


@pytest.mark.parametrize("change", ["another picture", "cut off", "empty", "swapped"])
def test_a_file_that_differs_is_named(cifar, place, change):
    folder = unpack(cifar, place / "images")
    file, other = folder / "train/cat/0001.jpg", folder / "train/dog/0000.jpg"
    if change == "swapped":
        first, second = file.read_bytes(), other.read_bytes()
        file.write_bytes(second)
        other.write_bytes(first)
        which = "train/cat/0001.jpg, train/dog/0000.jpg differ"
    else:
        content = {"another picture": jpeg(255, 32), "cut off": file.read_bytes()[:-9], "empty": b""}[change]
        file.write_bytes(content)
        which = "train/cat/0001.jpg differs"
    refused(f"images is not what was published: {which}; fetch it again", cifar10_jpeg, path="images")


def test_images_that_were_not_published_are_named_and_other_files_are_left(cifar, place):
    folder = unpack(cifar, place / "images")
    for name in ("README.md", "train/cat/Thumbs.db", "train/cat/._0001.jpg", "mine/0000.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"?")
    assert len(read(cifar10_jpeg, path="images")[0]["train"]) == 20
    (folder / "train/ship/9999.jpg").write_bytes(jpeg(0, 32))
    refused("has 1 images that were not published, train/ship/9999.jpg; move", cifar10_jpeg, path="images")


@pytest.mark.parametrize("name", ["CIFAR-10-images.tar.gz", "other.tar.xz", "master.zip"])
def test_a_damaged_archive_is_named(cifar, place, name):
    archive = pack(cifar, place / "a" / name)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    refused(
        f"a/{re.escape(name)} is damaged .*; move it away and run lowparam prepare to fetch it", cifar10_jpeg, path="a"
    )


def test_another_archive_is_named(cifar, place):
    pack({"other/file.txt": b"?"}, place / "a/CIFAR-10-images.tar.gz")
    refused("CIFAR-10-images.tar.gz has no folder train; move it away", cifar10_jpeg, path="a")
    pack(cifar, place / "b/one.zip")
    pack(cifar, place / "b/two.zip")
    refused("b has several archives, one.zip, two.zip; keep one", cifar10_jpeg, path="b")


@pytest.mark.parametrize("size", [32, 64])
def test_tiny_imagenet_has_the_labels_of_its_annotations_and_the_words_of_its_classes(tiny, place, size):
    unpack(tiny[size], place / "images" / "tiny-imagenet-200")
    splits, classes = read(tiny_imagenet, path="images", size=size)
    assert classes == list(WORDS.values())
    assert splits["train"].pixels.shape == (6, 3, size, size)
    assert splits["train"].pixels[:, 0, 0, 0].tolist() == [0, 10, 50, 60, 100, 110]
    assert splits["train"].labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert splits["test"].pixels[:, 0, 0, 0].tolist() == [200, 210, 220]
    assert [classes[label] for label in splits["test"].labels] == [
        "Egyptian cat",
        "reel",
        "goldfish, Carassius auratus",
    ]


def test_val_of_tiny_imagenet_is_the_test_split_and_validation_comes_from_train(tiny, place):
    unpack(tiny[32], place / "images")
    settings = Data(source="tiny_imagenet", path="images", size=32, split=SPLIT)
    prepare("mine", settings, Path("results/data/mine"))
    dataset = data.load("results/data/mine")
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [3, 3, 3]
    assert sorted(dataset.test.pixels[:, 0, 0, 0].tolist()) == [200, 210, 220]
    known = tiny_imagenet.PUBLISHED[32].sha256
    assert read_json(Path("results/data/mine/manifest.json"))["source_files"] == {
        "names and contents of all files": f"sha256:{known}"
    }


def test_further_files_of_the_official_archive_are_not_read(tiny, place):
    more = {"train/n01443537/n01443537_boxes.txt": b"0", "test/images/test_0.JPEG": jpeg(1, 32)}
    unpack(tiny[32] | more, place / "images")
    assert len(read(tiny_imagenet, path="images", size=32)[0]["train"]) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val/images/val_1.JPEG": None}, "lacks 1 of 12 files, val/images/val_1.JPEG"),
        ({"val/val_annotations.txt": None}, "lacks 1 of 12 files, val/val_annotations.txt"),
        ({"words.txt": None}, "lacks 1 of 12 files, words.txt"),
        ({"wnids.txt": None}, "has no wnids.txt"),
        ({"wnids.txt": b"n01443537"}, "wnids.txt should name 3 classes, not 1"),
        ({"val/val_annotations.txt": b"val_0.JPEG\tn01443537\n"}, "val/val_annotations.txt differs"),
        ({"train/n01443537/images/n01443537_1.JPEG": b"?"}, "train/n01443537/images/n01443537_1.JPEG differs"),
    ],
)
def test_what_tiny_imagenet_lacks_is_named(tiny, place, change, message):
    files = {name: content for name, content in (tiny[32] | change).items() if content is not None}
    unpack(files, place / "images")
    refused(message, tiny_imagenet, path="images", size=32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val/val_annotations.txt": b"val_0.JPEG\tn01443537\n"}, "no class of wnids.txt for val/images/val_1.JPEG"),
        ({"words.txt": b"n01443537\tgoldfish\n"}, "words.txt has no words for n02124075"),
        ({"val/images/val_2.JPEG": b"?"}, "val/images/val_2.JPEG is not a readable image"),
        ({"val/images/val_2.JPEG": jpeg(1, 128)}, "val/images/val_2.JPEG has 128×128 pixels, not 64×64"),
    ],
)
def test_what_has_no_published_hash_is_still_complete(tiny, place, change, message):
    unpack(tiny[64] | change, place / "images")
    refused(message, tiny_imagenet, path="images", size=64)


def test_the_other_size_is_advised_for_images_of_it(tiny, place):
    for size, other in ((32, 64), (64, 32)):
        unpack(tiny[size], place / f"images{size}")
        refused(
            f"has images of {size}×{size} pixels; set data.mine.size: {size}",
            tiny_imagenet,
            path=f"images{size}",
            size=other,
        )
    refused("data.mine.size must be 64 or 32, as published, not 48", tiny_imagenet, path="images32", size=48)


def test_contents_that_cannot_be_verified_are_said_to_be_unverified(tiny, place, capsys):
    unpack(tiny[64], place / "images")
    read(tiny_imagenet, path="images", size=64)
    assert "their contents cannot be verified: only the checksum of tiny-imagenet-200.zip" in capsys.readouterr().out


def test_the_official_archive_is_verified_by_its_checksum(tiny, place, monkeypatch, capsys):
    archive = pack(tiny[64], place / "a/tiny-imagenet-200.zip", "tiny-imagenet-200/")
    refused("tiny-imagenet-200.zip is not the file that was published: its md5 is", tiny_imagenet, path="a")
    checksum = f"md5:{os.popen(f'md5sum {archive}').read().split()[0]}"
    monkeypatch.setitem(tiny_imagenet.PUBLISHED, 64, replace(tiny_imagenet.PUBLISHED[64], checksum=checksum))
    assert len(read(tiny_imagenet, path="a")[0]["test"]) == 3
    assert capsys.readouterr().out == ""


def test_the_published_sums_are_of_all_files():
    assert len(cifar10_jpeg.PUBLISHED.sums.read_bytes()) == 2 * 60_000
    assert len(tiny_imagenet.PUBLISHED[32].sums.read_bytes()) == 2 * (110_000 + 3)
