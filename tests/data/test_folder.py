import contextlib
import errno
import os
import shutil
import unicodedata
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image

from lowparam import data
from lowparam.data.decode import decode
from lowparam.data.folder import CHUNK, decode_all, list_splits
from lowparam.data.prepare import prepare, shape
from lowparam.errors import LowparamError
from lowparam.files import read_json
from lowparam.params import Augment, Data, Split
from lowparam.training.distributed import Decoded
from pictures import SHAPES, draw_folder

HALF = Split(train=0.5, validation=0.25, test=0.25)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder of images, in the folder where commands run."""
    monkeypatch.chdir(tmp_path)
    draw_folder(tmp_path / "images", 8)
    return tmp_path


def settings(**options) -> Data:
    return Data(**{"source": "image_folder", "path": "images", "size": 16, "split": HALF} | options)


def prepared(**options):
    prepare("mine", settings(**options), "results/data/mine")
    return data.load("results/data/mine")


def refused(message: str, **options) -> None:
    with pytest.raises(LowparamError, match=message) as caught:
        prepare("mine", settings(**options), "results/data/mine")
    assert "\n" not in str(caught.value)


def test_every_image_of_a_folder_is_there_with_its_class():
    dataset = prepared()
    assert dataset.classes == sorted(SHAPES)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [12, 6, 6]
    pixels = torch.cat([dataset.train.pixels, dataset.validation.pixels, dataset.test.pixels])
    labels = torch.cat([dataset.train.labels, dataset.validation.labels, dataset.test.labels])
    files, _ = list_splits(Path("images"), "")
    for path, label in files["all"]:
        its = torch.from_numpy(decode(Path(path).read_bytes(), 16, 3).copy())
        assert labels[(pixels == its).flatten(1).all(1)].tolist() == [label]


def test_preparing_again_gives_the_same_bytes(place):
    stored = place / "results/data/mine"
    prepared()
    first = {path.name: path.read_bytes() for path in stored.iterdir()}
    shutil.rmtree(stored)
    prepared()
    assert {path.name: path.read_bytes() for path in stored.iterdir()} == first


def test_statistics_are_those_of_the_training_part():
    dataset = prepared()
    pixels = dataset.train.pixels.double()
    std, mean = torch.std_mean(pixels, dim=(0, 2, 3), correction=0)
    assert torch.allclose(dataset.mean.double(), mean) and torch.allclose(dataset.std.double(), std)
    normal = dataset.normalise(dataset.train.pixels)
    assert normal.mean((0, 2, 3)).abs().max() < 1e-5


def test_grey_images_have_one_channel():
    assert prepared(channels=1).in_channels == 1


def test_val_is_reported_on_where_there_is_no_test(place):
    draw_folder(place / "both/train", 10, seed=1)
    draw_folder(place / "both/val", 4, seed=2)
    dataset = prepared(path="both", split=Split(train=0.8, validation=0.2))
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [24, 6, 12]


def test_an_official_split_is_kept(place):
    for seed, (split, count) in enumerate({"train": 6, "val": 3, "test": 2}.items()):
        draw_folder(place / "three" / split, count, seed=seed)
    dataset = prepared(path="three", split=None)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [18, 9, 6]
    refused("data.mine.split must go: image_folder has an official split", path="three")


def test_a_class_may_be_called_train(place):
    draw_folder(place / "vehicles", 4)
    (place / "vehicles/Dreiecke").rename(place / "vehicles/train")
    (place / "vehicles/train/old").mkdir()
    shutil.copy(place / "images/Dreiecke/Bild 003 für mich.jpg", place / "vehicles/train/old")
    assert "train" in prepared(path="vehicles").classes


@pytest.mark.parametrize(
    "names",
    [
        ("Training", "Testing"),
        ("TRAIN", "valid"),
        ("seg_train", "seg_test"),
        ("train", "validation", "test"),
        ("TRAINING_SET", "Val"),
        ("trainset", "testset"),
        ("TrainImages", "hold-out"),
    ],
)
def test_splits_are_recognised_by_the_usual_words(place, names):
    for seed, name in enumerate(names):
        draw_folder(place / "splits" / name, 4, seed=seed)
    dataset = prepared(path="splits", split=None if len(names) == 3 else Split(train=0.75, validation=0.25))
    assert dataset.classes == sorted(SHAPES)
    assert len(dataset.test) == 12 and len(dataset.train) == (12 if len(names) == 3 else 9)


def test_two_folders_for_one_split_are_refused(place):
    for name in ("train", "val", "validation"):
        draw_folder(place / "splits" / name, 2)
    refused("splits has the folders 'val' and 'validation', both for validation; keep one", path="splits")


@pytest.mark.parametrize("names", [("seg_train", "seg_test"), ("train", "test"), ("trainset", "test_set")])
@pytest.mark.parametrize("which", [0, 1])
def test_a_stray_image_next_to_the_classes_of_a_split_is_named(place, names, which):
    for seed, name in enumerate(names):
        draw_folder(place / "splits" / name, 2, seed=seed)
    shutil.copy(place / "images/Dreiecke/Bild 003 für mich.jpg", place / "splits" / names[which] / "overview.jpg")
    refused(
        f"splits/{names[which]} has folders of images and also images of its own, such as 'overview.jpg', which are of "
        "no class; take them out",
        path="splits",
        split=Split(train=0.5, validation=0.5),
    )


def test_a_part_that_is_not_for_training_is_no_class_next_to_the_one_that_is(place):
    draw_folder(place / "splits/seg_train", 2)
    shutil.copytree(place / "images/Dreiecke", place / "splits/seg_pred")
    refused("splits/seg_train has folders of images, but there is no val or test .*; add one, or set", path="splits")


def test_splits_without_classes_are_refused(place):
    for name in ("train", "test"):
        shutil.copytree(place / "images/Dreiecke", place / "splits" / name)
    refused("the folders 'test', 'train' of splits have images, but no folders; each class needs one", path="splits")


def test_a_path_one_level_too_high_is_refused(place):
    (place / "up").mkdir()
    (place / "images").rename(place / "up/images")
    refused(
        r"data\.mine\.path: up has one folder, 'images', and classes are at least two; it has .*'Dreiecke'.* in it; "
        r"set data\.mine\.path to up/images$",
        path="up",
    )


def test_folders_that_all_hold_the_same_folders_are_no_classes(place):
    for seed, name in enumerate(("hospital a", "hospital b")):
        draw_folder(place / "both" / name, 2, seed=seed)
    refused("the folders 'hospital a', 'hospital b' of both all have the same folders 'Dreiecke'", path="both")


def test_folders_that_hold_nearly_the_same_folders_are_no_classes(place):
    for seed, name in enumerate(("first half", "second half")):
        draw_folder(place / "both" / name, 2, seed=seed)
    shutil.rmtree(place / "both/second half/Dreiecke")
    shutil.copy(place / "images/Fünfecke/Bild 003 für mich.jpg", place / "both/first half")
    refused("the folders 'first half', 'second half' of both all have the same folders 'F.*', 'round", path="both")


def test_folders_that_hold_the_same_folders_further_down_are_no_classes(place):
    for seed, name in enumerate(("one", "two")):
        draw_folder(place / "both" / name / "2024", 2, seed=seed)
    refused("the folders 'one', 'two' of both all have the same folders 'Dreiecke'", path="both")


def test_classes_may_have_their_images_in_one_folder_of_the_same_name(place):
    for name in SHAPES:
        (place / "images" / name).rename(place / "inner")
        (place / "images" / name).mkdir()
        (place / "inner").rename(place / "images" / name / "images")
    assert prepared().classes == sorted(SHAPES)


def test_tiny_imagenet_as_published_is_named(place):
    for name in ("train/n01443537/images", "train/n01629819/images", "val/images", "test/images"):
        shutil.copytree(place / "images/Dreiecke", place / "tiny" / name)
    (place / "tiny/val/val_annotations.txt").write_text("val_0.JPEG\tn01443537")
    refused(
        "tiny is Tiny ImageNet as published: .*; set source: tiny_imagenet, with size: 64 for .* or size: 32",
        path="tiny",
    )


@pytest.mark.parametrize("parts", [("train", "val"), ("Training", "Test_Images")])
def test_a_data_set_next_to_another_folder_is_no_class(place, parts):
    """Such as images with their splits next to masks or labels, which would be two classes."""
    images = place / "images"
    for part in parts:
        (images / "pictures").mkdir(exist_ok=True)
        shutil.copytree(images / "Dreiecke", images / "pictures" / part / "a")
    refused(r"images/pictures is taken for a class, but it has .*; set data\.mine\.path to .*images/pictures, or")


@pytest.mark.parametrize("other", ["Dreiecke ", "Drei\u200becke", "Dreiecke\u00a0", "\u202eDreiecke"])
def test_classes_that_differ_in_what_cannot_be_seen_are_refused(place, other):
    shutil.copytree(place / "images/Dreiecke", place / "images" / other)
    refused("has the classes '.*Drei.*' and '.*Drei.*', which differ in spaces or in characters that cannot be seen")


@pytest.mark.parametrize(("letter", "code"), [("\n", "U.000A"), ("\t", "U.0009"), ("\x1b", "U.001B")])
def test_a_class_whose_name_cannot_be_shown_is_refused(place, letter, code):
    (place / "images/Dreiecke").rename(place / f"images/Drei{letter}ecke")
    refused(f"the name 'Drei.*ecke' has the character {code}, which tables and figures cannot show; rename it")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_that_look_the_same_are_shown_with_their_difference(place, form):
    for split, this in (("train", form), ("val", "NFD" if form == "NFC" else "NFC")):
        draw_folder(place / "splits" / split, 2)
        (place / "splits" / split / "Fünfecke").rename(
            place / "splits" / split / unicodedata.normalize(this, "Fünfecke")
        )
    message = r"the same letters in NF[CD] and NF[CD]; rename one of them"
    refused(message, path="splits", split=Split(train=0.5, validation=0.5))
    (place / "images/Fünfecke").rename(place / "images" / unicodedata.normalize(form, "Fünfecke"))
    other = unicodedata.normalize("NFD" if form == "NFC" else "NFC", "Fünfecke")
    shutil.copytree(place / "images/Dreiecke", place / "images" / other)
    refused("has two classes 'F.*nfecke': 'Fu.*nfecke' and 'F.*nfecke', the same letters in NFD and NFC; join them")


def test_a_path_in_another_form_of_unicode_is_found_out(place):
    (place / "images").rename(place / unicodedata.normalize("NFD", "Füße"))
    refused(r"Füße is not a folder; there is 'Fu\\u0308\\xdfe', the same letters in another form", path="Füße")


def test_a_copy_without_the_files_that_git_ignores_is_named(place, monkeypatch):
    (place / ".dvc/tmp/exps/standalone").mkdir(parents=True)
    monkeypatch.chdir(place / ".dvc/tmp/exps/standalone")
    refused("images is not a folder; this is a copy by dvc exp run without the files that git ignores")


@pytest.mark.parametrize("suffix", [".jfif", ".tga", ".JPE", "", ".jpg_large", ".2019"])
def test_whatever_pillow_decodes_is_an_image(place, suffix):
    image = Image.new("RGB", (20, 20), "red")
    image.save(place / f"images/Dreiecke/one{suffix}", "TGA" if suffix == ".tga" else "JPEG")
    assert len(list_splits(place / "images", "")[0]["all"]) == 25


def test_what_is_no_image_is_counted_and_named(place, capsys):
    (place / "images/Dreiecke/photo.heic").write_bytes(b"no image")
    (place / "images/notes.txt").write_text("for me")
    (place / "images/README").write_text("for you")
    prepared()
    assert read_json("results/data/mine/manifest.json")["left_aside"] == {
        "count": 3,
        "suffixes": {"": 1, ".heic": 1, ".txt": 1},
        "names": ["Dreiecke/photo.heic", "README", "notes.txt"],
        "folders": [],
    }
    assert "data.mine: 3 files are not read: Dreiecke/photo.heic, README, notes.txt\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", [".ipynb_checkpoints", "@eaDir", "__MACOSX"])
@pytest.mark.parametrize("above", ["", "Dreiecke", "Dreiecke/deep"])
def test_hidden_and_service_folders_hold_no_images(place, name, above):
    shutil.copytree(place / "images/Fünfecke", place / "images" / above / name)
    assert len(list_splits(place / "images", "")[0]["all"]) == 24
    prepared()
    folders = read_json("results/data/mine/manifest.json")["left_aside"]["folders"]
    assert folders == [str(Path(above, name))]


@pytest.mark.parametrize("stream", [False, True])
def test_copies_across_splits_are_refused_unless_they_are_allowed(place, stream):
    for seed, (split, count) in enumerate({"train": 6, "val": 3, "test": 2}.items()):
        draw_folder(place / "three" / split, count, seed=seed)
    shutil.copy(place / "three/train/Dreiecke/Bild 003 für mich.jpg", place / "three/test/Dreiecke/other name.jpg")
    options = {"path": "three", "split": None, "stream": stream}
    refused(
        r"1 images are in more than one split, such as test: test/Dreiecke/other name.jpg and train: train/Dreiecke/.*"
        r"; take the copies out, or set data\.mine\.allow_copies: true$",
        **options,
    )
    prepared(**options, allow_copies=True)
    copies = read_json("results/data/mine/manifest.json")["copies"]
    assert copies["count"] == 1 and len(copies["images"][0]) == 2


def test_copies_in_published_splits_are_counted(capsys):
    prepare("digits", Data(source="digits", split=HALF), "results/data/digits")
    assert read_json("results/data/digits/manifest.json")["copies"]["count"] == 0


def test_a_class_with_one_image_is_named(place):
    for path in sorted((place / "images/Fünfecke").iterdir())[1:]:
        path.unlink()
    refused(r"data\.mine\.split\.test: the class 'Fünfecke' has only one image to divide, and each split needs one")


def test_a_part_for_training_alone_is_not_a_class(place):
    draw_folder(place / "splits/train", 2)
    refused(r"splits/train has folders of images, .*; add one, or set data\.mine\.path to splits/train$", path="splits")


def test_classes_and_images_can_be_fewer():
    dataset = prepared(classes=2, train_per_class=3)
    assert dataset.classes == sorted(SHAPES)[:2]
    assert dataset.train.labels.bincount().tolist() == [3, 3]
    assert dataset.test.labels.bincount().tolist() == [2, 2]
    assert shape("mine", settings(classes=2)) == {"classes": 2, "in_channels": 3, "size": 16}


def test_broken_files_are_listed_by_name(place, capsys):
    (place / "images/Dreiecke/kaputt.jpg").write_bytes(b"no image")
    (place / "images/Fünfecke/leer.png").touch()
    refused(r"data\.mine: 2 bad files, listed above .*'Dreiecke/kaputt.jpg', 'Fünfecke/leer.png'.*skip_bad: true")
    printed = capsys.readouterr().out
    assert "Dreiecke/kaputt.jpg: Pillow knows no image that begins as 'no image'\n" in printed
    assert "Fünfecke/leer.png: the file is empty\n" in printed
    assert not (place / "results").exists()


@pytest.mark.parametrize("skip_bad", [False, True])
def test_a_file_that_could_not_be_read_is_read_again(place, monkeypatch, skip_bad):
    splits, _ = list_splits(place / "images", "")
    options = {"work": place / "work", "skip_bad": skip_bad, "key": "data.mine"}
    read = Path.read_bytes

    def fail(path):
        if "Dreiecke/Bild 003" in str(path):
            raise OSError(errno.EIO, "Input/output error", str(path))
        return read(path)

    with monkeypatch.context() as patched, contextlib.nullcontext() if skip_bad else pytest.raises(LowparamError):
        patched.setattr("pathlib.Path.read_bytes", fail)
        assert decode_all(splits, 16, 3, **options)[1] == ["Dreiecke/Bild 003 für mich.jpg"]
    assert decode_all(splits, 16, 3, **options)[1] == []


def test_one_image_in_two_classes_is_mislabelled(place, capsys):
    shutil.copy(place / "images/Dreiecke/Bild 003 für mich.jpg", place / "images/Fünfecke/copy.jpg")
    refused("2 bad files")
    assert (
        "Fünfecke/copy.jpg: the same image is also in another class: Dreiecke/Bild 003 für mich.jpg"
        in capsys.readouterr().out
    )


def test_bad_files_can_be_left_out(place):
    (place / "images/Dreiecke/kaputt.jpg").write_bytes(b"no image")
    dataset = prepared(skip_bad=True)
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 24
    assert read_json("results/data/mine/manifest.json")["left_out"] == ["Dreiecke/kaputt.jpg"]


def test_links_to_nothing_are_bad_files(place, capsys):
    (place / "images/Dreiecke/away.jpg").symlink_to(place / "unplugged/disk.jpg")
    refused(r"data\.mine: 1 bad files, listed above .*'Dreiecke/away.jpg'.*skip_bad: true")
    assert "Dreiecke/away.jpg: No such file or directory\n" in capsys.readouterr().out
    refused(
        "data.mine: images/Dreiecke/away.jpg is a link to a file that does not exist; fix it or take it out",
        stream=True,
    )
    dataset = prepared(skip_bad=True)
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 24
    assert read_json("results/data/mine/manifest.json")["left_out"] == ["Dreiecke/away.jpg"]


def test_a_class_of_bad_files_alone_is_an_error(place):
    for path in (place / "images/Dreiecke").iterdir():
        path.write_bytes(b"no image")
    refused(r"data\.mine: train has no good image of the class 'Dreiecke'", skip_bad=True)


def test_a_class_without_images_is_an_error(place):
    (place / "images/Leer").mkdir()
    (place / "images/Leer/notes.txt").write_text("none yet")
    refused("images/Leer has no images; take the folder out or put images into it")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("old", ["Dreiecke/Bild 003 für mich.jpg", "Dreiecke"])
def test_names_from_other_systems_are_refused_before_anything_is_read(place, monkeypatch, old, stream):
    monkeypatch.setattr("lowparam.data.prepare.decode_all", None)
    latin = os.fsdecode(b"Drei\xe9cke") if old == "Dreiecke" else os.fsdecode(b"Dreiecke/\xe9.jpg")
    (place / "images" / old).rename(place / "images" / latin)
    refused(r"data\.mine\.path: images: the name b'Drei.*\\xe9.*' is not UTF-8; rename it", stream=stream)


@pytest.mark.parametrize("target", [".", ".."])
def test_links_that_lead_in_a_circle_multiply_nothing(place, target):
    whole = list_splits(place / "images", "")[0]["all"].names.tolist()
    (place / "images/Dreiecke/link").symlink_to(target)
    assert list_splits(place / "images", "")[0]["all"].names.tolist() == whole


def test_links_to_folders_elsewhere_are_followed(place):
    (place / "images/Dreiecke").rename(place / "elsewhere")
    (place / "images/Dreiecke").mkdir()
    (place / "images/Dreiecke/more").symlink_to(place / "elsewhere")
    assert len(list_splits(place / "images", "")[0]["all"]) == 24


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "nowhere"}, "data.mine.path: nowhere is not a folder"),
        ({"path": None}, "data.mine.path is missing"),
        ({"size": None}, "data.mine.size is missing"),
        ({"split": None}, "data.mine.split is missing"),
        ({"split": Split(train=0.5, validation=0.5)}, "data.mine.split.test is missing"),
        (
            {"split": Split(train=0.98, validation=0.01, test=0.01)},
            "the second part of 24 images has 1, fewer",
        ),
        ({"source": "digits"}, "data.mine.path must go: it is not for digits"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options, message):
    refused(message, **options)


def test_work_that_was_interrupted_goes_on(place, monkeypatch):
    """The second call decodes only what the first had not finished."""
    many = place / "many"
    draw_folder(many, CHUNK // 2)  # 375 images, two chunks
    splits, _ = list_splits(many, "")
    work = place / "work"
    whole, _ = decode_all(splits, 16, 3, work=place / "whole", skip_bad=False, key="data.many")

    calls = []

    def stop(content, *options):
        calls.append(content)
        if len(calls) > CHUNK + 20:
            raise KeyboardInterrupt
        return decode(content, *options)

    monkeypatch.setattr("lowparam.data.folder.decode", stop)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    with pytest.raises(KeyboardInterrupt):
        decode_all(splits, 16, 3, work=work, skip_bad=False, key="data.many")
    calls.clear()
    again, _ = decode_all(splits, 16, 3, work=work, skip_bad=False, key="data.many")
    assert len(calls) == 3 * (CHUNK // 2) - CHUNK
    assert torch.equal(again["all"].pixels, whole["all"].pixels)


@pytest.mark.parametrize(("stream", "save"), [(False, "save"), (True, "save_streamed")])
def test_nothing_is_decoded_again_if_storing_was_interrupted(place, monkeypatch, stream, save):
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(f"lowparam.data.prepare.{save}", Mock(side_effect=KeyboardInterrupt))
        prepared(stream=stream)
    with monkeypatch.context() as patched:
        patched.setattr("lowparam.data.folder.decode", Mock(side_effect=AssertionError))
        prepared(stream=stream)
    assert not (place / ".lowparam/data/mine").exists()


def test_streamed_images_stay_where_they_are(place):
    dataset = prepared(stream=True)
    assert dataset.streaming and (dataset.in_channels, dataset.size) == (3, 16)
    path, label = dataset.train[5]
    assert Image.open(path).size[0] > 16
    assert Path(path).parent.name == dataset.classes[label]
    whole = np.stack([decode(Path(path).read_bytes(), 16, 3) for path, _ in dataset.train]).transpose(1, 0, 2, 3)
    assert np.allclose(dataset.mean, whole.reshape(3, -1).mean(1), atol=1e-3)
    assert np.allclose(dataset.std, whole.reshape(3, -1).std(1), atol=1e-3)


def test_streamed_images_that_moved_are_the_same_data(place):
    before = prepared(stream=True)
    (place / "images").rename(place / "elsewhere")
    with pytest.raises(LowparamError, match=r"the images of mine are not in .*set data\.mine\.path to where they are"):
        data.load("results/data/mine")
    after = prepared(stream=True, path="elsewhere")
    assert after.sha256 == before.sha256
    assert after.train[0][0] == before.train[0][0].replace("/images/", "/elsewhere/")


def test_a_streamed_image_that_is_too_large_is_named(place, monkeypatch):
    dataset = prepared(stream=True)
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 100)  # Pillow refuses twice as many, with an error of its own
    with pytest.raises(LowparamError, match=r"^\S+/Dreiecke/.+\.jpg is not a readable image: Image size .+$"):
        Decoded(dataset.train, dataset, Augment())[3]


def test_what_is_advised_for_a_bad_streamed_image_is_allowed(place):
    """Streamed images take no skip_bad."""
    for number, path in enumerate((place / "images/Dreiecke").iterdir()):
        path.write_bytes(b"no image" * (number + 1))
    with pytest.raises(LowparamError, match=r"bad files, listed above with reasons .*; fix them or take them out$"):
        prepared(stream=True)
