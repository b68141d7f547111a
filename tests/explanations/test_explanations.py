"""Explanations find what was planted: a patch, a distractor, a unit, and whether a map depends on weights at all."""

import re
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

import lowparam
from lowparam.cli import app
from lowparam.errors import LowparamError
from lowparam.explanations import attributions, detectors, packages, sanity, scores
from lowparam.explanations.attributions import Subject, pattern_attribution
from lowparam.explanations.inversion import invert
from lowparam.explanations.visualisation import maximise
from lowparam.models.blocks import Site


class Patches(nn.Module):
    """Class k is the sum over the k-th quadrant of an 8 x 8 image: where its evidence is, is known."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(1, 4, 4, stride=4, bias=False)
        self.act = nn.ReLU()
        self.classifier = nn.Linear(16, 4)
        with torch.no_grad():
            self.maps.weight.fill_(1.0)
            self.classifier.weight.zero_(), self.classifier.bias.zero_()
            for k in range(4):
                self.classifier.weight[k, 4 * k + k] = 1.0  # channel k at position k

    def forward(self, x):
        return self.classifier(self.act(self.maps(x)).flatten(1))

    def sites(self):
        return {"maps.stream": Site("stream", self.act)}


def planted(count: int = 24) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images with noise and a bright patch in the quadrant of their label, and where it is."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 4
    masks = torch.zeros(count, 8, 8, dtype=torch.bool)
    for image, k in zip(masks, labels.tolist(), strict=True):
        image[4 * (k // 2) : 4 * (k // 2) + 4, 4 * (k % 2) : 4 * (k % 2) + 4] = True
    images = 0.1 * torch.randn(count, 1, 8, 8, generator=generator) + masks[:, None].float()
    return images, labels, masks


def subject(net: nn.Module, sample: torch.Tensor) -> Subject:
    return Subject(net.eval().requires_grad_(False), net.sites()["maps.stream"].output, sample)


@pytest.mark.parametrize("name", attributions.names())
def test_every_method_points_into_the_patch_that_the_output_is_computed_from(name):
    module = attributions.find(name)
    if package := getattr(module, "PACKAGE", ""):
        pytest.importorskip(package)
    images, labels, masks = planted()
    maps = module.attribute(subject(Patches(), images), images, labels)
    found = scores.score(maps, masks)
    assert found["pointing"] == 1 and found["area"] == 0.25
    assert found["energy"] > (0.6 if name == "grad_cam_pp" else 0.99)  # Grad-CAM++ is enlarged from 2 x 2


def test_integrated_gradients_add_up_to_the_difference_from_the_mean_image():
    pytest.importorskip("captum")
    images, labels, _ = planted()
    net = Patches()
    maps = attributions.find("integrated_gradients").attribute(subject(net, images), images, labels)
    difference = net(images) - net(torch.zeros_like(images[:1]))
    torch.testing.assert_close(
        maps.sum((1, 2)), difference.gather(1, labels[:, None])[:, 0].detach(), atol=1e-2, rtol=1e-2
    )


def test_a_weight_that_cancels_a_distractor_gets_nothing_from_its_pattern():
    """Kindermans et al. 2017, section 2: x = y (1, 0) + d (1, 1) is read by w = (1, -1), its pattern is (1, 0)."""
    generator = torch.Generator().manual_seed(0)
    signal, distractor = torch.randn(2, 20_000, generator=generator)
    x = torch.stack([signal + distractor, distractor], 1)[:, :, None, None]
    net = nn.Sequential(nn.Conv2d(2, 1, 1, bias=False), nn.BatchNorm2d(1), nn.Flatten()).eval()
    with torch.no_grad():
        net[0].weight[0, :, 0, 0] = torch.tensor([1.0, -1.0])
        net[1].weight.fill_(3.0), net[1].running_var.fill_(0.25)  # the norm rescales, and is passed through
    found = pattern_attribution.patterns(net, x)
    torch.testing.assert_close(found["0"].flatten(), torch.tensor([1.0, 0.0]), atol=0.02, rtol=0)
    maps = pattern_attribution.attribute(Subject(net, None, x), x[:5], torch.zeros(5, dtype=torch.long))
    torch.testing.assert_close(maps.flatten(), net(x[:5]).flatten().detach(), atol=0.1, rtol=0.03)


@pytest.mark.parametrize("groups", [1, 2])
def test_the_pattern_of_a_convolution_is_the_covariance_with_its_patches(groups):
    torch.manual_seed(0)
    conv, x = nn.Conv2d(4, 6, 3, padding=1, stride=2, groups=groups), torch.randn(50, 4, 6, 6)
    found = pattern_attribution.patterns(nn.Sequential(conv), x)["0"]
    patches = nn.functional.unfold(x, 3, padding=1, stride=2).unflatten(1, (groups, -1)).double()
    y = conv(x).flatten(2).unflatten(1, (groups, -1)).double()
    moved = y - y.mean((0, 3), keepdim=True)
    covariance = torch.einsum("ngpl,ngol->gop", patches, moved) / moved.square().sum((0, 3))[:, :, None]
    torch.testing.assert_close(found.flatten(1).double(), covariance.flatten(0, 1), atol=1e-5, rtol=1e-4)


def test_a_map_that_knows_nothing_scores_the_area_of_the_mask():
    _, _, masks = planted()
    constant = torch.ones(24, 8, 8)
    assert scores.pointing_game(constant, masks).tolist() == [0.25] * 24
    assert scores.energy_inside(constant, masks).tolist() == [0.25] * 24
    assert scores.pointing_game(masks.float(), masks).tolist() == [1.0] * 24
    assert scores.energy_inside(masks.float() - 5, masks).isnan().all()  # nothing is positive
    empty = torch.zeros_like(masks)
    assert scores.pointing_game(constant, empty).isnan().all() and scores.energy_inside(constant, empty).isnan().all()


def test_the_mask_of_a_label_is_chosen_among_those_of_all_features():
    _, labels, masks = planted()
    every = torch.zeros(24, 4, 8, 8, dtype=torch.bool)
    every[torch.arange(24), labels] = masks
    assert torch.equal(scores.mask_of_label(every, labels), masks)
    assert torch.equal(scores.mask_of_label(masks, labels), masks)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (torch.zeros(24, 8, 8), "masks must be boolean, not float32"),
        (torch.zeros(24, 4, 4, dtype=torch.bool), r"masks must have the shape of the maps, \(24, 8, 8\), not \(24, 4"),
    ],
)
def test_masks_that_do_not_fit_are_one_line(masks, message):
    with pytest.raises(LowparamError, match=f"^{message}.*$"):
        scores.pointing_game(torch.zeros(24, 8, 8), masks)


def test_shuffled_weights_change_what_depends_on_them_and_nothing_else():
    torch.manual_seed(0)
    net = lowparam.create_model("mobilenetv2", budget="10k", classes=4, in_channels=1, size=8).eval()
    images = torch.randn(16, 1, 8, 8)
    before = [parameter.clone() for parameter in net.parameters()]
    last, every = (sanity.shuffled(net, share, images) for share in (0.01, 1.0))
    assert all(torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))
    changed = [name for name, weight in last.named_parameters() if not torch.equal(weight, net.get_parameter(name))]
    assert changed == ["classifier.weight", "classifier.bias"]
    for old, new in zip(net.parameters(), every.parameters(), strict=True):
        assert torch.equal(old.flatten().sort().values, new.flatten().sort().values)
    edges = images.diff(dim=3)[:, 0]
    assert sanity.rank_correlation(edges, edges) == pytest.approx(1)  # what no weight has a part in
    assert sanity.rank_correlation(torch.randn(200, 8, 8), torch.randn(200, 8, 8)) == pytest.approx(0, abs=0.03)
    assert sanity.rank_correlation(edges * 0, edges) != sanity.rank_correlation(edges * 0, edges)  # undefined


def test_the_image_that_drives_a_linear_output_has_the_signs_of_its_weights():
    torch.manual_seed(0)
    weight, low, high = torch.randn(3, 1, 4, 4), torch.full((1, 4, 4), -1.0), torch.full((1, 4, 4), 2.0)
    found = maximise(lambda x: (x * weight).flatten(1).sum(1), low, high, 3, smoothness=0.0, steps=100)
    expected = torch.where(weight > 0, 2.0, -1.0)
    clear = weight.abs() > 0.05
    torch.testing.assert_close(found[clear], expected[clear], atol=0.05, rtol=0)
    smooth = maximise(lambda x: (x * weight).flatten(1).sum(1), low, high, 3, smoothness=100.0, steps=100)
    assert smooth.flatten(1).std(1).max() < 0.5


def test_an_inverted_orthogonal_map_is_the_image_and_a_narrow_one_keeps_its_part():
    torch.manual_seed(0)
    full = torch.linalg.qr(torch.randn(16, 16))[0]
    x = torch.randn(3, 1, 4, 4)
    options = {"smoothness": 0.0, "size": 0.0}
    found, error = invert(lambda image: image.flatten(1) @ full, x, **options)
    torch.testing.assert_close(found, x, atol=0.05, rtol=0)
    assert error.max() < 1e-3
    narrow = full[:, :6]
    found, error = invert(lambda image: image.flatten(1) @ narrow, x, **options)
    torch.testing.assert_close(found.flatten(1), x.flatten(1) @ narrow @ narrow.T, atol=0.05, rtol=0)
    assert error.max() < 1e-3


def test_units_that_are_masks_are_detectors_and_one_of_two_features_is_counted_twice():
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(50, 3, 8, 8, generator=generator) < 0.04
    noise = torch.rand(50, 1, 8, 8, generator=generator)
    maps = torch.cat([masks[:, :1].float(), (masks[:, 1] | masks[:, 2])[:, None].float(), noise * 0], 1)
    overlaps = detectors.dissect(maps, masks, share=masks[:, 0].double().mean().item())
    assert overlaps[0, 0] == pytest.approx(1) and overlaps[2].tolist() == [0, 0, 0]
    assert overlaps[1, 1] > 0.3 and overlaps[1, 2] > 0.3
    found = detectors.summarise(torch.tensor([[0.9, 0.0, 0.0], [0.0, 0.4, 0.5], [0.0, 0.0, 0.0]]))
    assert found == {"detected": 1.0, "features_per_unit": 1.5, "units_per_feature": 1.0}


def test_a_unit_that_follows_a_class_has_an_auc_of_one():
    labels = torch.arange(40) % 4
    maps = torch.stack([(labels == 2).float(), torch.zeros(40), -(labels == 1).float()], 1)[:, :, None, None]
    auc = detectors.class_auc(maps, labels, 5)
    assert auc[0, 2] == 1 and auc[1, :4].tolist() == [0.5] * 4 and auc[2, 1] == 0 and auc[:, 4].isnan().all()
    assert detectors.unit_table(auc, list("abcde")).iloc[0].to_dict() == {"unit": 0, "class": "c", "auc": 1.0}


def test_the_public_function_scores_a_network_of_ones_own_and_writes_a_page(tmp_path):
    images, labels, masks = planted()
    every = torch.zeros(24, 4, 8, 8, dtype=torch.bool)
    every[torch.arange(24), labels] = masks
    net = Patches()
    found = lowparam.explain(net, images, labels, masks=every, methods=["pattern_attribution"], out=tmp_path)
    (row,) = found.scores.to_dict("records")
    assert row["pointing"] == 1 and row["pointing_shuffled"] < 1 and row["energy"] > row["energy_centre"]
    assert found.detected["detected"] == 1 > found.detected["detected_null"]
    assert len(found.units) == len(found.class_images) == 4
    assert found.inversions["maps.stream"][1].min() < 1e-3 and found.notes == []
    assert {file.name for file in tmp_path.iterdir()} == {
        "page.png", "page.pdf", "scores.csv", "cascade.csv", "units.csv"
    }  # fmt: skip
    assert pd.read_csv(tmp_path / "scores.csv")["method"].tolist() == ["pattern_attribution"]
    assert all(parameter.requires_grad for parameter in net.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"methods": ["patern_attribution"]},
            "unknown attribution 'patern_attribution'; did you mean 'pattern_attribution'",
        ),
        ({"masks": torch.zeros(24, 8, 8)}, r"masks must be boolean of shape \(24, 8, 8\)"),
        ({"masks": torch.zeros(24, 2, 8, 8, dtype=torch.bool)}, "masks has 2 features, but there are labels up to 3"),
        ({"classes": list("abcdef")}, r"the network has outputs of shape \(4,\) for 6 classes"),
        ({"labels": torch.zeros(3)}, "labels must be 24 whole numbers"),
        ({"model": "net"}, "model must be a torch.nn.Module or what load_run returns, not str"),
    ],
)
def test_what_cannot_be_explained_is_one_line(change, message):
    images, labels, _ = planted()
    arguments = {"model": Patches(), "images": images, "labels": labels, "methods": ["pattern_attribution"]}
    with pytest.raises(LowparamError, match=f"^{message}.*$"):
        lowparam.explain(**arguments | change)


def test_a_missing_package_is_named_before_anything_is_read(monkeypatch, capsys):
    find = packages.importlib.util.find_spec
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None if name == "captum" else find(name))
    assert app(["explain", "nothing"], standalone_mode=False) == 1
    assert "the package captum is missing; run: pip install 'lowparam[explain]'" in capsys.readouterr().err


def test_the_example_of_the_page_runs():
    text = (Path(__file__).parents[2] / "docs/explain.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict = {}
    exec(snippet, names)
    assert names["by_chance"].tolist() == [0.25] and 0 < names["inside"].item() < 1


@pytest.mark.slow
def test_the_command_explains_a_run_and_a_network_of_timm(trained, tmp_path, monkeypatch, capsys):
    pytest.importorskip("captum"), pytest.importorskip("torchcam")
    folder, run = trained
    monkeypatch.chdir(folder)
    for name in (str(run), "timm:mobilenetv3_small_050"):
        data = [] if name == str(run) else ["--data", "results/data/digits"]
        app(["explain", name, *data, "--out", str(tmp_path)], standalone_mode=False)
    pages = sorted(str(page.parent.name) for page in tmp_path.glob("*/page.png"))
    assert pages == ["mobilenetv2-none-5k-seed0", "timm.mobilenetv3_small_050-random"]
    assert "same_if_shuffled" in capsys.readouterr().out
