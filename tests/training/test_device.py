"""What a device must do for results to be believed: on a GPU where there is one, else on the CPU.

`benchmarks/gpu.sh` also runs these functions by themselves, on machines that have neither pytest nor scikit-learn; so
they take no fixtures, and their images are made here.
"""

import tempfile
from functools import partial
from pathlib import Path
from unittest import mock

import torch

from lowparam.data import Dataset, Images
from lowparam.models.skeletons.controlled import build
from lowparam.params import Augment, Profile, Recipe
from lowparam.training import loop
from lowparam.training.loop import Training

try:
    import pytest
except ModuleNotFoundError:

    def slow(test):
        return test
else:
    pytestmark, slow = pytest.mark.device, pytest.mark.slow

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
CLASSES, SIZE = 10, 8


def make_dataset():
    """Return images of ten classes, each a pattern of its own below noise."""
    random = torch.Generator().manual_seed(0)
    patterns = 200 * torch.rand(CLASSES, 1, SIZE, SIZE, generator=random)

    def images(count):
        labels = torch.arange(count) % CLASSES
        noise = 55 * torch.rand(count, 1, SIZE, SIZE, generator=random)
        return Images((patterns[labels] + noise).to(torch.uint8), labels)

    names = [str(label) for label in range(CLASSES)]
    return Dataset(images(200), images(100), images(100), names, torch.tensor([127.0]), torch.tensor([74.0]))


def make_net():
    torch.manual_seed(0)
    return build("mobilenetv2", 6.0, classes=CLASSES, in_channels=1, size=SIZE, depth=1)


def make_training(**recipe):
    given = {"epochs": 4, "batch_size": 50, "lr": 0.01, "weight_decay": 0.05, "ema": 0.9, **recipe}
    chosen = Recipe(**given, augment=Augment(crop_padding=1, flip=True))
    return Training(make_net(), make_dataset(), chosen, seed=0, device=DEVICE)


def weights(training):
    return torch.cat([value.flatten().double().cpu() for value in training.evaluated.state_dict().values()])


def finished(training):
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):  # as `lowparam train` has it
        while not training.finished:
            training.run_epoch()
    return training


def test_bfloat16_reaches_about_the_same_loss():
    exact, half = (make_training(precision=precision).run_epoch() for precision in ("float32", "bfloat16"))
    assert abs(half["train_loss"] / exact["train_loss"] - 1) < 0.05


@slow
def test_a_compiled_training_is_that_of_the_network():
    """On a CPU without code generation, which would take half a minute."""
    compiler = torch.compile if DEVICE.type == "cuda" else partial(torch.compile, backend="eager")
    plain = make_training(precision="float32")
    with mock.patch.object(loop, "should_compile", lambda *_: True), mock.patch.object(torch, "compile", compiler):
        compiled = make_training(precision="float32")
    assert compiled.forward is not compiled.net
    losses = [training.run_epoch()["train_loss"] for training in (plain, compiled)]
    assert abs(losses[1] / losses[0] - 1) < 0.01
    assert [*compiled.net.state_dict()] == [*plain.net.state_dict()]  # a checkpoint has the names of the plain network


def test_the_same_run_has_the_same_bits():
    first, second = finished(make_training()), finished(make_training())
    assert torch.equal(weights(first), weights(second)) and first.history == second.history


def test_a_resumed_run_has_the_bits_of_one_that_was_not_stopped():
    from lowparam.training import checkpoint

    with tempfile.TemporaryDirectory() as name, torch.backends.cudnn.flags(enabled=True, deterministic=True):
        stopped, resumed = make_training(), make_training()
        stopped.run_epoch()
        stopped.run_epoch()
        checkpoint.save(stopped, Path(name), {"run": 0})
        assert checkpoint.restore(resumed, Path(name), {"run": 0}) and resumed.epoch == 2
    finished(resumed)
    assert torch.equal(weights(resumed), weights(finished(make_training())))


def test_a_profile_is_that_of_the_cpu():
    """Within a hundredth: sums in another order, and TF32 in the convolutions of a GPU."""
    from lowparam.interference.profile import profile_run

    settings = Profile(images=100, folds=4, null_draws=10)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        theirs, ours = (
            profile_run(make_net().to(device), make_dataset(), settings) for device in (torch.device("cpu"), DEVICE)
        )
    assert [*ours["measure"]] == [*theirs["measure"]] and [*ours["site"]] == [*theirs["site"]]
    for name, site, one, other in zip(ours["measure"], ours["site"], ours["value"], theirs["value"], strict=True):
        same = one == other or (one != one and other != other) or abs(one - other) <= 0.01 * max(1.0, abs(other))
        assert same, f"{name} at {site}: {one:g} on {DEVICE}, {other:g} on the CPU"
