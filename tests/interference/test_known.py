"""Measures that see the truth find what was put in: features, directions, cross-talk, detectors."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lowparam.data import Images, channel_statistics
from lowparam.data.known import KnownFeatures
from lowparam.data.sources import factors
from lowparam.interference.context import Context
from lowparam.interference.held_out import held_out
from lowparam.interference.known_images import UNKNOWN, Known, KnownImages, known_images
from lowparam.interference.measures import known_detectors, known_outputs, true_features
from lowparam.interference.measures.dimensionality import dimensionality
from lowparam.interference.profile import profile_network
from lowparam.interference.summary import summary
from lowparam.models.blocks import Site
from lowparam.params import Data, Dose, Profile
from lowparam.studies.toy.tasks import sparse_features, train_identity

SETTINGS = Profile(
    images=600, null_draws=10, measures=["known_outputs", "true_features", "known_detectors"], gradient_images=0
)


class OneByOne(nn.Module):
    """A 1x1 network: maps of `weight` (m, n), read out by `readout` (n, m), with or without a ReLU after it."""

    def __init__(self, weight: Tensor, readout: Tensor, bias: Tensor, *, rectify: bool) -> None:
        super().__init__()
        m, n = weight.shape
        self.write, self.read = nn.Conv2d(n, m, 1, bias=False), nn.Conv2d(m, n, 1)
        self.write.weight.data = weight[:, :, None, None].clone()
        self.read.weight.data, self.read.bias.data = readout[:, :, None, None].clone(), bias.clone()
        self.act = nn.ReLU() if rectify else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.read(self.write(x))).mean((2, 3))

    def sites(self) -> dict[str, Site]:
        return {"blocks.0.stream": Site("stream", self.write)}


def context_of(net: nn.Module, values: Tensor, present: Tensor | None = None) -> Context:
    """A context whose images are 1x1 pixels with a channel for the value of each feature."""
    present = values > 0 if present is None else present
    inputs = values.float()[:, :, None, None]
    known = Known(inputs, present, torch.zeros(present.shape, dtype=torch.int64))
    labels = torch.arange(len(inputs)) % 2
    return Context(net, net.sites(), KnownImages(inputs, labels, ["a", "b"], known), SETTINGS)


def measured(context: Context, measure) -> dict[str, float]:
    return {value.measure: value.value for value in measure(context)}


def test_a_1x1_network_with_the_weights_of_the_toy_model_has_its_dimensionality_and_phases():
    density, importance = torch.tensor([1.0, 0.02]), torch.tensor([[1.0, 0.3], [1.0, 1.0]])
    toy = train_identity(2, 1, density, importance, steps=1500)
    phases = []
    for weight, bias, share in zip(toy.weight, toy.bias, (0.5, 0.02), strict=True):
        values = sparse_features(40000, torch.tensor([share]), 2, torch.Generator().manual_seed(0))[0]
        context = context_of(OneByOne(weight, weight.T, bias, rectify=True), values)
        mean = measured(context, true_features.measure)["true_dimensionality"]
        wanted = dimensionality(weight)
        assert mean == pytest.approx(wanted.mean().item(), abs=0.03)
        pooled = (values @ weight.T).double()
        found = dimensionality(true_features.feature_directions(pooled, values > 0).T)
        assert torch.allclose(found.float(), wanted, atol=0.03)
        phases.append(found.tolist())
    assert phases[0] == pytest.approx([1, 0], abs=0.03)  # dense: the important feature has the dimension for itself
    assert phases[1] == pytest.approx([0.5, 0.5], abs=0.15)  # sparse: both share it as opposites
    assert (weight[0, 0] * weight[0, 1]) < 0


def test_as_many_channels_as_features_have_no_superposition_where_all_are_present():
    random = torch.Generator().manual_seed(0)
    values = 0.5 + torch.rand(20000, 6, generator=random) / 2
    turned = torch.linalg.qr(torch.randn(8, 6, generator=random))[0]
    context = context_of(OneByOne(turned, turned.T, torch.zeros(6), rectify=False), values, values > 0.75)
    found = {value.measure: value for value in true_features.measure(context)}
    assert found["true_dimensionality"].value == pytest.approx(1, abs=0.01)
    assert found["true_dimensionality_forced"].value == 1
    chi = found["true_chi"]
    standard_error = (chi.upper - chi.lower) / 2 / 2.09  # of 20 folds
    assert chi.value == pytest.approx(0, abs=3 * standard_error + 1e-3)
    assert found["true_chi_floor"].value == 0


def test_cross_talk_of_a_linear_readout_is_at_least_what_the_shape_forces_and_1_if_outputs_are_shuffled():
    random = torch.Generator().manual_seed(0)
    values = sparse_features(20000, torch.tensor([0.1]), 12, random)[0]
    frame = torch.linalg.qr(torch.randn(12, 4, generator=random))[0].T  # a tight frame of 12 in 4 dimensions
    found = measured(
        context_of(OneByOne(frame, frame.T, torch.zeros(12), rectify=False), values), true_features.measure
    )
    assert found["true_chi"] >= found["true_chi_floor"] - 0.02
    assert found["true_chi_floor"] == pytest.approx((1 - 4 / 12) / (1 - 1 / 12))
    assert true_features.cross_talk(torch.ones(5, 5)).item() == pytest.approx(1)
    assert true_features.cross_talk(torch.eye(5)).item() == 0


def test_a_linear_network_explains_at_most_as_many_features_as_it_has_values_and_a_relu_explains_more():
    random = torch.Generator().manual_seed(1)
    values = sparse_features(20000, torch.tensor([0.05]), 8, random)[0]
    weight = torch.randn(4, 8, generator=random)
    pooled = values @ weight.T
    best = torch.linalg.lstsq(pooled - pooled.mean(0), (values > 0).float() - (values > 0).float().mean(0)).solution.T
    linear = measured(context_of(OneByOne(weight, best, torch.zeros(8), rectify=False), values), known_outputs.measure)
    assert linear["features_limit"] == 4
    assert 2.5 < linear["features_explained"] <= 4.1
    opposites = torch.cat([torch.eye(4), -torch.eye(4)], 1)  # two features a dimension, told apart by their signs
    net = OneByOne(opposites, opposites.T, torch.full((8,), -0.02), rectify=True)
    relu = measured(context_of(net, values), known_outputs.measure)
    assert relu["features_limit"] == 4
    assert relu["features_explained"] > 5
    assert relu["features_found"] == 8
    assert relu["features_per_1000"] == pytest.approx(8000 / sum(each.numel() for each in net.parameters()))


def test_false_positives_rise_where_other_features_leak_into_an_output_and_only_there():
    random = torch.Generator().manual_seed(0)
    present = torch.rand(20000, 10, generator=random) < 0.2
    clean = present + 0.5 * torch.randn(20000, 10, generator=random)
    crowded, overall = known_outputs.false_positives(clean, present)
    assert crowded == pytest.approx(overall, abs=0.005)
    leaking = clean + 0.3 * present.sum(1, keepdim=True)
    crowded, overall = known_outputs.false_positives(leaking, present)
    assert crowded > overall + 0.02


def world(features: int = 24, presence: float = 0.1, **settings) -> KnownFeatures:
    """Images of one world in memory."""
    given = {"features": [features], "presence": [presence], "images": [64, 300, 300], **settings}
    data = Data.model_validate({"source": "factors", "size": 8, "factors": given})
    assert data.factors is not None
    splits, classes = factors.read("factors", data)
    known = factors.templates("factors", data)
    mean, std = channel_statistics(splits["train"].pixels)
    return KnownFeatures(
        **{name: Images(split.pixels, torch.arange(len(split))) for name, split in splits.items()},
        classes=classes,
        mean=mean.float(),
        std=std.float(),
        templates=known,
        dose=Dose(features=features, presence=presence),
        drawn={split: factors.draw(known, data.factors, split, features, presence) for split in splits},
    )


class Matched(nn.Module):
    """A network whose channels are templates, each at every tile, mixed by a matrix (C, n)."""

    def __init__(self, dataset: KnownFeatures, mix: Tensor) -> None:
        super().__init__()
        patterns = torch.from_numpy(dataset.templates.patterns).float()
        n, channels, side, _ = patterns.shape
        self.conv = nn.Conv2d(channels, len(mix), side, stride=side, bias=False)
        self.conv.weight.data = (mix @ patterns.flatten(1)).view(-1, channels, side, side)
        self.head = nn.Linear(len(mix), n)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).mean((2, 3)))

    def sites(self) -> dict[str, Site]:
        return {"blocks.0.stream": Site("stream", self.conv)}


def test_channels_that_are_templates_detect_one_feature_each_and_sums_of_two_detect_two():
    dataset = world(features=12, presence=0.06, images=[64, 1000, 1000], noise=0.05)
    images = known_images(dataset, 2000)
    for mix, concepts, units in ((torch.eye(12), 1, 1), (torch.eye(6).repeat(1, 2), 2, 1)):
        net = Matched(dataset, mix)
        found = measured(Context(net, net.sites(), images, SETTINGS), known_detectors.measure)
        assert found["concepts_per_unit"] == pytest.approx(concepts, abs=0.3)
        assert found["units_per_concept"] == pytest.approx(units, abs=0.3)
        assert found["detected_features"] == 12


@pytest.mark.parametrize(("side", "size"), [(2, 1), (4, 4), (1, 4), (3, 4)])
def test_masks_of_a_map_cover_the_tile_of_a_feature(side, size):
    known = Known(torch.zeros(1, 1, 8, 8), torch.tensor([[True, False]]), torch.tensor([[3, 0]]), tiles=2)
    mask = known_detectors.masks(known, side)[0].view(side, side, 2)
    assert mask[-1, -1, 0]
    assert not mask[..., 1].any()
    assert mask[..., 0].sum() == (1 if side == 1 else size)


def test_a_profile_has_the_truth_next_to_the_other_measures_and_the_untrained_network(untrained):
    dataset = world()
    net = untrained("mobilenetv2", dataset)
    images = known_images(dataset, SETTINGS.images)
    assert len(images) < len(images.known) == 600
    assert images.labels.max() < 24
    profile = profile_network(net, images, SETTINGS, untrained=net)
    present = set(profile["measure"])
    assert {"mean_auc", "true_dimensionality", "true_chi", "concepts_per_unit", "chi", "dimensionality"} <= present
    rows = profile.set_index(["measure", "site"])
    assert rows.loc[("mean_auc", ""), "value"] == pytest.approx(0.5, abs=0.06)  # nothing is learned
    assert rows.loc[("features_found", ""), "value"] == 0
    assert np.isfinite(rows.loc["true_chi"]["untrained"]).all()
    columns = summary(profile)
    for column in ("features_found", "true_chi_last", "true_dimensionality_stages", "concepts_per_unit_last"):
        assert np.isfinite(columns[column]), column


@pytest.mark.parametrize("architecture", ["nodepth_a+linear", "mobilenetv2+linear"])
def test_a_network_without_activations_never_explains_more_than_its_narrowest_map(architecture, untrained):
    dataset = world(features=40, images=[64, 2000, 2000], presence=0.1)
    net = untrained(architecture, dataset, budget=2569 if architecture == "nodepth_a+linear" else 2937)
    images = known_images(dataset, 4000)
    context = Context(net, net.sites(), images, SETTINGS)
    before = measured(context, known_outputs.measure)
    assert before["features_limit"] < 40
    # The best readout of the pooled map, which is linear in the pixels.
    pooled: list[Tensor] = []
    head = next(module for module in reversed(list(net.modules())) if isinstance(module, nn.Linear))
    hook = head.register_forward_pre_hook(lambda module, inputs: pooled.append(inputs[0].detach()))
    with torch.no_grad():
        net(images.known.inputs)
    hook.remove()
    maps, present = pooled[0] - pooled[0].mean(0), images.known.present.float()
    head.weight.data = torch.linalg.lstsq(maps, present - present.mean(0)).solution.T.contiguous()
    after = measured(context, known_outputs.measure)
    assert after["features_explained"] <= after["features_limit"] * 1.05
    assert after["features_explained"] > before["features_explained"]


def test_measures_of_known_features_say_that_other_images_have_none(digits, untrained):
    context = Context(untrained("nodepth_a", digits), {}, held_out(digits, 50), SETTINGS)
    assert [value.note for value in known_outputs.measure(context)] == [UNKNOWN]
