"""Images of known features are what they are said to be, and a linear probe of their pixels finds everything."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lowparam import params as parameters
from lowparam.data.known import load_known
from lowparam.data.prepare import prepare
from lowparam.data.sources import factors
from lowparam.errors import LowparamError
from lowparam.params import Data, Dose
from lowparam.training.presence_scores import aucs


def made(size: int = 8, channels: int = 3, **settings) -> Data:
    """Settings of a small data set."""
    given = {"features": [12], "presence": [0.2], "images": [300, 20, 20], **settings}
    return Data.model_validate({"source": "factors", "size": size, "channels": channels, "factors": given})


def probe(data: Data, split: str = "train") -> tuple[np.ndarray, factors.Drawn]:
    """Project each pixel image of the only world on the template of each feature, where the feature is."""
    splits, _ = factors.read("factors", data)
    known = factors.templates("factors", data)
    (world,) = factors.worlds(data.factors)
    drawn = factors.draw(known, data.factors, split, *world)
    pixels = splits[split].pixels.double().numpy() - factors.GREY
    side, found = known.patterns.shape[2], np.zeros_like(drawn.values)
    for row, places in enumerate(drawn.places):
        for feature, place in enumerate(places):
            top, left = (side * each for each in divmod(place, known.tiles))
            patch = pixels[row, :, top : top + side, left : left + side]
            found[row, feature] = (patch * known.patterns[feature]).sum()
    return found / factors._contrast(known, data), drawn


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("places", ["fixed", "free"])
def test_templates_are_orthogonal_of_length_1_and_without_mean(places, channels):
    data = made(size=16, channels=channels, features=[15 * channels], places=places)
    known = factors.templates("factors", data)
    flat = known.patterns.reshape(len(known), -1)
    gram = flat @ flat.T
    apart = known.places[:, None] != known.places
    assert np.allclose(np.where(apart, 0, gram), np.eye(len(known)), atol=1e-12)
    assert np.abs(known.patterns.mean((2, 3))).max() < 1e-12


def test_without_noise_pixels_hold_every_amplitude_up_to_their_rounding():
    for places in ("fixed", "free"):
        found, drawn = probe(made(places=places))
        assert np.abs(found - drawn.values).max() < 0.05


def test_a_linear_probe_of_pixels_is_perfect_for_fixed_places_without_noise():
    found, drawn = probe(made(size=12, features=[60], places="fixed", presence=[0.1]))
    areas = aucs(torch.from_numpy(found), torch.from_numpy(drawn.values > 0))
    assert areas.min() == 1


def test_features_are_present_as_often_as_said_and_independently():
    data = made(images=[20000, 10, 10], features=[6])
    drawn = factors.draw(factors.templates("factors", data), data.factors, "train", 6, 0.2)
    present = drawn.values > 0
    assert np.abs(present.mean(0) - 0.2).max() < 0.01
    assert np.abs(np.corrcoef(present.T) - np.eye(6)).max() < 0.03
    amplitudes = drawn.values[present]
    assert 0.5 <= amplitudes.min() < 0.51
    assert 0.99 < amplitudes.max() <= 1


def test_features_of_a_pair_are_correlated_and_still_as_frequent():
    data = made(images=[20000, 10, 10], features=[6], correlation=0.7)
    present = factors.draw(factors.templates("factors", data), data.factors, "train", 6, 0.2).values > 0
    pairs = np.kron(np.eye(3), np.ones((2, 2)))
    assert np.abs(np.corrcoef(present.T) - np.where(np.eye(6) > 0, 1, 0.7 * pairs)).max() < 0.03
    assert np.abs(present.mean(0) - 0.2).max() < 0.01


def test_availability_and_importance_fall_from_the_first_feature_to_the_last():
    known = factors.templates("factors", made(availability=0.25, importance=0.1, features=[3]))
    assert np.allclose(known.amplitude, [1, 0.5, 0.25])
    assert np.allclose(known.importance / known.importance[0], [1, 0.1**0.5, 0.1])
    assert known.importance.mean() == pytest.approx(1)


def test_features_beyond_the_dose_never_occur_and_templates_are_the_same_in_all_worlds():
    data = made(features=[4, 12], presence=[0.1, 0.3])
    splits, classes = factors.read("factors", data)
    assert factors.worlds(data.factors) == [(4, 0.1), (12, 0.1), (4, 0.3), (12, 0.3)]
    assert len(classes) == 12
    assert len(splits["train"]) == 4 * 300
    labels = splits["train"].labels.view(4, 300)
    assert set(labels[0].tolist()) <= {0, 1, 2, 3, 12}
    assert set(labels[3].tolist()) == set(range(13))


def test_equal_seeds_give_equal_bits_and_others_do_not():
    first, second, other = (factors.read("factors", made(seed=seed, noise=0.1))[0]["test"].pixels for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_noise_is_as_strong_as_said_and_no_pixel_is_clipped():
    data = made(size=10, features=[40], presence=[0.3], noise=0.1, images=[400, 10, 10])
    found, drawn = probe(data)
    assert (found - drawn.values).std() == pytest.approx(0.1, rel=0.05)
    pixels = factors.read("factors", data)[0]["train"].pixels
    assert ((pixels == 0) | (pixels == 255)).float().mean() < 1e-4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"features": [200]}, "features has 200, but patches of 8x8 pixels have room for 189 orthogonal templates"),
        ({"features": [40], "patch": 3}, "room for 24 orthogonal templates in images of 8x8; write at most 189"),
        ({"patch": 9}, "patches of 9x9 pixels have room for 0"),
    ],
)
def test_more_features_than_fit_are_refused_in_a_line(settings, said):
    with pytest.raises(LowparamError, match=said):
        factors.shape("factors", made(**settings))


def test_a_world_is_loaded_with_what_is_in_its_images(tmp_path: Path):
    data = made(features=[4, 12], presence=[0.2, 1.0], images=[400, 200, 200], size=8)
    prepare("factors", data, tmp_path)
    loaded = load_known(tmp_path, Dose(features=4, presence=1.0))
    assert loaded.features == 4
    assert len(loaded.train) == 400
    # Each is in all images, so half of the time it is stronger than the middle of its amplitudes.
    assert torch.allclose(loaded.presence("train").double().mean(0)[:4], torch.tensor(0.5).double(), atol=0.1)
    assert not loaded.presence("train")[:, 4:].any()
    assert loaded.importance.tolist() == [1] * 4 + [0] * 8
    with pytest.raises(LowparamError, match=r"has no images of features=5 presence=0\.2"):
        load_known(tmp_path, Dose(features=5, presence=0.2))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"source": "factors", "size": 8}, "factors is missing"),
        ({"source": "digits", "factors": {"features": [2], "presence": [0.1]}}, "for the source factors only"),
        ({"source": "factors", "factors": {"features": [2], "presence": [0.1]}}, "size must be from 8 to 32"),
        (
            {"source": "factors", "size": 8, "classes": 2, "factors": {"features": [2], "presence": [0.1]}},
            "classes must go",
        ),
        (
            {"source": "factors", "size": 8, "factors": {"features": [4, 2], "presence": [0.1]}},
            r"rising order.*\[2, 4\]",
        ),
        ({"source": "factors", "size": 8, "factors": {"features": [4], "presence": [1.5]}}, "less than or equal to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(data, said):
    with pytest.raises(ValueError, match=said):
        Data.model_validate(data)


PARAMS = """
data:
  factors: {{ source: factors, size: 8, factors: {{ features: [4, 8], presence: [0.1] }} }}
  digits: {{ source: digits }}
recipes: {{ r: {{ epochs: 1, batch_size: 8, lr: 0.1, loss: {loss}{more} }} }}
defaults: {{ architectures: [mobilenetv1], probes: [none], budgets: [5k], seeds: [0] }}
experiments: {{ e: {{ data: {data}, recipe: r }} }}
replicate: [e]
"""


@pytest.mark.parametrize(
    ("data", "loss", "more", "said"),
    [
        ("factors", "binary_cross_entropy", "", r"dose is missing; write which images, features as one of \[4, 8\]"),
        ("factors", "cross_entropy", ", dose: { features: 4, presence: 0.1 }", "loss must be binary_cross_entropy"),
        ("factors", "binary_cross_entropy", ", dose: { features: 5, presence: 0.1 }", "has no images of this dose"),
        ("digits", "cross_entropy", ", dose: { features: 4, presence: 0.1 }", "dose must go"),
        (
            "factors",
            "binary_cross_entropy",
            ", augment: { flip: true }, dose: { features: 4, presence: 0.1 }",
            "augment must go",
        ),
    ],
)
def test_recipes_that_do_not_fit_the_images_are_refused(tmp_path: Path, data, loss, more, said):
    file = tmp_path / "params.yaml"
    file.write_text(PARAMS.format(data=data, loss=loss, more=more))
    with pytest.raises(LowparamError, match=said):
        parameters.load(file)
