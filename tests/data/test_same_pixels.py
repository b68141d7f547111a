"""Whatever reads an image file sees the same pixels: training, evaluation, baseline, profile, and the public face."""

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from lowparam import data
from lowparam.api import TrainedRun
from lowparam.data import Dataset, Streamed
from lowparam.data.prepare import prepare
from lowparam.errors import LowparamError
from lowparam.interference.held_out import held_out
from lowparam.models.skeletons.controlled import build
from lowparam.params import Data
from lowparam.training import baseline
from lowparam.training.distributed import StreamedTraining
from lowparam.training.loop import Training
from lowparam.training.photographs import PhotographChanges
from quick import make_params

SIZE = 24


def kinds() -> dict[str, tuple[Image.Image, dict]]:
    """Images that decoders treat differently, and how to save them; each is a ramp with a corner marked."""
    across, down = np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 44))
    ramp = (across + down) / 2
    ramp[:12, :12] = 1
    colours = Image.fromarray((255 * np.stack([ramp, across, 1 - down], 2)).astype(np.uint8))
    sideways = Image.Exif()
    sideways[0x0112] = 6
    clear = colours.copy()
    clear.putalpha(Image.fromarray((255 * across).astype(np.uint8)))
    return {
        "deep.png": (Image.fromarray((65535 * ramp).astype(np.uint16)), {}),
        "turned.jpg": (colours, {"exif": sideways}),
        "palette.png": (colours.convert("P"), {}),
        "palette_clear.png": (colours.convert("P"), {"transparency": 3}),
        "alpha.png": (clear, {}),
        "print.jpg": (colours.convert("CMYK"), {}),
        "floating.tif": (Image.fromarray(ramp.astype(np.float32)), {}),
        "large.jpg": (colours.resize((400, 310)), {"quality": 90}),  # is decoded at a fraction of its size
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folders of a data set of such images, prepared in memory and as a list of files."""
    place = tmp_path_factory.mktemp("kinds")
    for split in ("train", "val", "test"):
        for label in ("a", "b"):
            (place / "photos" / split / label).mkdir(parents=True)
    for number, (name, (image, options)) in enumerate(kinds().items()):
        for split in ("train", "val", "test"):
            image.resize(image.size).save(place / "photos" / split / "ab"[number % 2] / f"{split}_{name}", **options)
    found = {}
    for stream in (False, True):
        about = {
            "source": "image_folder",
            "path": str(place / "photos"),
            "size": SIZE,
            "stream": stream,
            "allow_copies": True,
        }
        prepare("kinds", Data.model_validate(about), place / f"stream {stream}")
        found[stream] = place / f"stream {stream}"
    return found


@pytest.fixture(scope="module")
def truth(folders) -> torch.Tensor:
    """The training images in memory, normalised."""
    dataset = data.load(folders[False])
    assert isinstance(dataset, Dataset)
    return dataset.normalise(dataset.train.pixels)


def training(loop: type[Training], dataset: Dataset | Streamed) -> Training:
    net = build("mobilenetv1", 6.0, classes=2, in_channels=3, size=SIZE)
    recipe = make_params(augment={}, batch_size=3).recipes["quick"]
    return loop(net, dataset, recipe, seed=0, device=torch.device("cpu"))


def test_none_of_the_images_is_constant_or_black(folders, truth):
    pixels = data.load(folders[False]).train.pixels.flatten(1).float()
    assert (pixels.std(1) > 20).all()


@pytest.mark.parametrize("stream", [False, True])
def test_training_without_changes_evaluation_and_profile_see_the_same_pixels(folders, truth, stream):
    dataset = data.load(folders[stream])
    assert torch.equal(dataset.mean, data.load(folders[False]).mean)
    run = training(StreamedTraining if stream else Training, dataset)
    trained = torch.cat([images for images, _, _ in run.training_batches(torch.Generator().manual_seed(3))])
    evaluated = torch.cat([images for images, _ in run.evaluation_batches("train")])
    profiled = held_out(dataset, 100).pixels(np.arange(2 * len(truth)))
    assert torch.equal(evaluated, truth)
    assert torch.equal(profiled, torch.cat([truth, truth]))
    seen = sorted(images.flatten().tolist() for images in trained)
    assert seen == sorted(images.flatten().tolist() for images in truth)


def test_the_baseline_sees_the_same_pixels_or_their_means(folders, truth):
    for stream, wanted in ((False, truth), (True, F.adaptive_avg_pool2d(truth, baseline.SMALL))):
        dataset = data.load(folders[stream])
        seen, labels = baseline._pixels(dataset, dataset.train)
        assert torch.equal(torch.from_numpy(seen), wanted.flatten(1))
        assert labels.tolist() == dataset.train.labels.tolist()


def test_a_trained_run_sees_the_same_pixels_in_files_and_pictures(folders, truth):
    dataset = data.load(folders[True])
    about = {"classes": dataset.classes, "spec": {}, "in_channels": 3, "size": SIZE}
    about |= {"mean": dataset.mean.tolist(), "std": dataset.std.tolist()}
    run = TrainedRun(torch.nn.Identity(), about)
    files = [dataset.train[row][0] for row in range(len(dataset.train))]
    assert torch.equal(run.transform(files), truth)
    plain = [place for place, file in enumerate(files) if not file.endswith(".jpg")]  # JPEGs are decoded at a fraction
    assert torch.equal(run.transform([Image.open(files[place]) for place in plain]), truth[plain])


def test_a_trained_run_reads_values_by_the_range_that_it_was_trained_with(tmp_path):
    ramp = np.linspace(0, 4095, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint16)
    image = Image.fromarray(ramp)
    image.save(tmp_path / "deep.png")
    about = {"classes": ["a"], "in_channels": 1, "size": SIZE, "mean": [0.0], "std": [1.0]}
    run = TrainedRun(torch.nn.Identity(), about | {"spec": {"data": {"value_range": [0, 4095]}}})
    wanted = torch.from_numpy(ramp / 4095 * 255).round()
    assert torch.equal(run.transform(tmp_path / "deep.png")[0, 0].double(), wanted)
    assert torch.equal(run.transform(image)[0, 0].double(), wanted)


def test_random_changes_start_from_the_same_pixels(folders, truth):
    """With a flip alone each image is as it is or mirrored."""
    run = training(StreamedTraining, data.load(folders[True]))
    run.recipe = make_params(augment={"flip": True}, batch_size=3).recipes["quick"]
    seen = torch.cat([images for images, _, _ in run.training_batches(torch.Generator().manual_seed(3))])
    known = torch.cat([truth, truth.flip(3)])
    assert all((known == image).flatten(1).all(1).any() for image in seen)


@pytest.mark.parametrize("rand_augment", ["rand-m9-mstd0.5-inc1", "rand-m10-n4-inc1"])
def test_the_strongest_changes_leave_images(folders, rand_augment):
    """At the last level, timm keeps no bit of an image, which Pillow refuses: the training ended in the middle."""
    dataset = data.load(folders[True])
    augment = make_params(augment={"rand_augment": rand_augment}).recipes["quick"].augment
    changes = PhotographChanges(augment, SIZE, dataset.mean)
    photograph = Image.open(dataset.train[0][0]).convert("RGB")
    for seed in range(100):
        random.seed(seed)
        np.random.seed(seed)
        assert changes(photograph).shape == (3, SIZE, SIZE)


def test_an_unknown_random_change_is_named(folders):
    with pytest.raises(LowparamError, match=r"augment\.rand_augment: timm knows no 'rnd-m9'"):
        augment = make_params(augment={"rand_augment": "rnd-m9"}).recipes["quick"].augment
        PhotographChanges(augment, SIZE, torch.zeros(3))
