"""The use of known features: exact in linear networks, where it has a closed form, and undefined where it must be."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import hadamard
from torch import Tensor, nn

from lowparam.data import Images, channel_statistics
from lowparam.data.known import KnownFeatures
from lowparam.data.sources import factors
from lowparam.interference.context import Context
from lowparam.interference.held_out import held_out
from lowparam.interference.known_images import UNKNOWN, Known, KnownImages, Rendering, known_images
from lowparam.interference.measures import feature_use
from lowparam.interference.profile import profile_network
from lowparam.interference.summary import summary
from lowparam.params import Data, Dose, Profile

SETTINGS = Profile(images=600, null_draws=50, measures=["feature_use"], gradient_images=0)
SIZE, PRESENCE = 8, 0.3
AVAILABILITY = torch.tensor([0.25 ** (k / (SIZE - 1)) for k in range(SIZE)], dtype=torch.float64)


class Linear(nn.Module):
    """Outputs that are a matrix (n, n) times the channels of a pixel."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.read = nn.Conv2d(weight.shape[1], len(weight), 1, bias=False)
        self.read.weight.data = weight.float()[:, :, None, None].clone()

    def forward(self, x: Tensor) -> Tensor:
        return self.read(x).mean((2, 3))


def one_pixel(amplitude: Tensor, *, count: int = 4000, **settings) -> KnownImages:
    """Images of one pixel with a channel for each feature, of which the largest amplitudes are given."""
    random, n = torch.Generator().manual_seed(0), len(amplitude)
    present = torch.rand(count, n, generator=random) < PRESENCE
    if follows := settings.get("correlation", 0.0):
        copied = torch.rand(count, n // 2, generator=random) < follows
        present[:, 1::2] = torch.where(copied, present[:, ::2], present[:, 1::2])
    values = present * (0.5 + torch.rand(count, n, generator=random, dtype=torch.float64) / 2) * amplitude
    importance = settings.get("importance", torch.ones(n, dtype=torch.float64))
    rendering = Rendering(values, torch.eye(n).view(n, n, 1, 1), amplitude, importance, PRESENCE)
    inputs = values.float()[:, :, None, None]
    known = Known(inputs, present, torch.zeros(count, n, dtype=torch.int64), 1, rendering)
    return KnownImages(inputs, torch.arange(count) % 2, ["a", "b"], known)


def values_of(weight: Tensor, images: KnownImages) -> dict[str, feature_use.Value]:
    context = Context(Linear(weight), {}, images, SETTINGS)
    return {value.measure: value for value in feature_use.measure(context)}


def test_outputs_that_read_their_own_feature_use_all_of_it_at_every_availability():
    found = values_of(torch.diag(1 / AVAILABILITY), one_pixel(AVAILABILITY))
    assert found["feature_use"].value == pytest.approx(1, abs=0.05)
    assert found["feature_use"].null == pytest.approx(1 / SIZE, abs=0.05)  # a shuffled output meets its own by chance
    assert found["shortcut_bias"].value == pytest.approx(0, abs=0.005)
    assert found["availability_slope"].value == pytest.approx(0, abs=0.1)


def test_a_linear_network_with_equal_gains_uses_features_by_the_square_of_their_availability():
    found = values_of(torch.from_numpy(hadamard(SIZE)), one_pixel(AVAILABILITY))
    share = AVAILABILITY**2 / (AVAILABILITY**2).sum()
    assert found["feature_use"].value == pytest.approx(share.mean().item(), rel=0.05)
    assert found["shortcut_bias"].value == pytest.approx(1 - 1 / SIZE, abs=0.01)
    assert found["availability_slope"].value == pytest.approx(2, abs=0.1)
    assert found["availability_explained"].value == pytest.approx(1, abs=0.02)
    assert found["availability_slope_others"].value == pytest.approx(2, abs=0.1)
    for name in ("availability_slope", "availability_slope_others"):
        assert found[name].null == pytest.approx(0, abs=0.5)
        assert found[name].z > 2
    assert found["availability_explained"].null == pytest.approx(1 / (SIZE - 1), abs=0.06)  # of random orders


def test_gains_that_undo_availability_leave_nothing_to_explain():
    found = values_of(torch.from_numpy(hadamard(SIZE)) / AVAILABILITY, one_pixel(AVAILABILITY))
    assert found["feature_use"].value == pytest.approx(1 / SIZE, rel=0.06)
    assert found["availability_slope"].value == pytest.approx(0, abs=0.1)
    assert found["availability_slope_others"].value == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_reliance_of_lda_on_the_second_of_a_pair_has_its_closed_form_and_lda_has_no_bias(correlation):
    images = one_pixel(AVAILABILITY, count=40000, correlation=correlation)
    # With u the amplitude over availability: E u = 3/4, E u^2 = 7/12.
    p, mean, square = PRESENCE, 3 / 4, 7 / 12
    variance, shared = p * square - (p * mean) ** 2, correlation * p * (1 - p)
    covariance = np.array([[variance, shared * mean**2], [shared * mean**2, variance]])
    weights = np.linalg.solve(covariance, np.array([p * (1 - p) * mean, shared * mean]))
    wanted = weights[1] ** 2 / (weights**2).sum()
    optimal = feature_use.lda_reliance(images.known.rendering.values, images.known.present)
    assert optimal.tolist() == pytest.approx([wanted] * SIZE, abs=0.01)
    pairs = torch.eye(SIZE, dtype=torch.float64) * weights[0]
    for k in range(SIZE):
        pairs[k, k ^ 1] = weights[1]
    found = values_of(pairs / AVAILABILITY, images)
    assert found["shortcut_bias"].value == pytest.approx(0, abs=0.01)


def test_a_feature_is_drawn_again_as_it_was_drawn():
    images = one_pixel(torch.ones(2, dtype=torch.float64))
    context = Context(Linear(torch.eye(2)), {}, images, SETTINGS)
    mean = feature_use.effects(context, images.known, torch.arange(4000)).mean(0)
    variance = PRESENCE * 7 / 12 - (PRESENCE * 3 / 4) ** 2
    assert torch.allclose(mean, 2 * variance * torch.eye(2).double(), atol=0.01)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (one_pixel(torch.ones(4, dtype=torch.float64)), "equally available"),
        (one_pixel(AVAILABILITY, importance=AVAILABILITY), "importance"),
    ],
)
def test_slopes_are_undefined_where_availability_does_not_vary_or_is_not_alone(images, reason):
    found = values_of(torch.eye(images.known.features), images)
    assert reason in found["availability_slope"].note
    assert math.isnan(found["availability_explained"].value)
    assert found["feature_use"].value == pytest.approx(1, abs=0.05)


def test_dead_outputs_are_undefined_and_not_infinite():
    found = values_of(torch.zeros(4, 4), one_pixel(AVAILABILITY[:4]))
    assert all(math.isnan(value.value) and value.note for value in found.values())


def world(**settings) -> KnownFeatures:
    given = {"features": [12], "presence": [0.1], "images": [64, 300, 300], "noise": 0.05, **settings}
    data = Data.model_validate({"source": "factors", "size": 8, "factors": given})
    assert data.factors is not None
    splits, classes = factors.read("factors", data)
    mean, std = channel_statistics(splits["train"].pixels)
    return KnownFeatures(
        **{name: Images(split.pixels, torch.arange(len(split))) for name, split in splits.items()},
        classes=classes,
        mean=mean.float(),
        std=std.float(),
        templates=factors.templates("factors", data),
        dose=Dose(features=12, presence=0.1),
        drawn={
            split: factors.draw(factors.templates("factors", data), data.factors, split, 12, 0.1) for split in splits
        },
    )


@pytest.mark.parametrize("places", ["fixed", "free"])
def test_images_without_a_feature_are_those_that_were_drawn_without_it(places):
    dataset = world(places=places, patch=4, noise=0.0, availability=0.5)
    known = known_images(dataset, 600).known
    empty = known
    for feature in range(12):
        empty = empty.with_feature(feature, torch.zeros(600, dtype=torch.float64))
        empty = Known(empty.inputs, known.present, known.places, known.tiles, known.rendering)
    grey = dataset.normalise(torch.full((1, 1, 8, 8), 128, dtype=torch.uint8))
    assert (empty.inputs - grey).abs().max() < 0.75 / dataset.std.min()  # rounding, and the unit's error


def test_a_profile_has_the_use_of_features_with_that_of_the_untrained_network(untrained):
    dataset = world(availability=0.25)
    net = untrained("mobilenetv2", dataset)
    profile = profile_network(net, known_images(dataset, 600), SETTINGS, untrained=net).set_index("measure")
    assert profile.loc["feature_use", "value"] < 0.3  # nothing is learned
    assert profile.loc["shortcut_bias", "value"] > 0.5
    names = list(feature_use.VALUES)
    assert np.isfinite(profile.loc[names, ["value", "lower", "upper", "untrained"]].astype(float)).all(axis=None)
    columns = summary(profile.reset_index())
    assert all(np.isfinite(columns[name]) for name in feature_use.SUMMARY)


def test_images_without_known_features_have_a_reason(digits, untrained):
    context = Context(untrained("nodepth_a", digits), {}, held_out(digits, 50), SETTINGS)
    assert [value.note for value in feature_use.measure(context)] == [UNKNOWN]
