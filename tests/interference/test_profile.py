import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from lowparam.data import Files, Streamed
from lowparam.errors import LowparamError
from lowparam.interference import measures
from lowparam.interference.context import Context
from lowparam.interference.held_out import HeldOut, held_out
from lowparam.interference.measurement import COLUMNS
from lowparam.interference.norm_statistics import recalibrate
from lowparam.interference.one_pass import collect
from lowparam.interference.profile import measure_network, profile_run
from lowparam.interference.summary import summary
from lowparam.models.blocks import Site
from lowparam.models.layers.fast import accelerate
from lowparam.params import Profile

ARCHITECTURES = ("mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenext", "convnext", "nodepth_a")
CHEAP = Profile(ablation_pairs=0, gradient_images=0)


class Small(nn.Module):
    """The user's own network: a convolution, a pointwise layer, a pooled classifier."""

    def __init__(self, channels: int = 1, classes: int = 4) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(channels, 6, 3, 2, 1), nn.ReLU()
        self.pointwise, self.norm = nn.Conv2d(6, 5, 1), nn.BatchNorm2d(5)
        self.stream = nn.ReLU()
        self.classifier = nn.Linear(5, classes)

    def sites(self) -> dict[str, Site]:
        return {
            "block.projection": Site("projection", self.norm, self.pointwise, self.norm),
            "block.stream": Site("stream", self.stream),
        }

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stream(self.norm(self.pointwise(self.act(self.conv(x)))))
        return self.classifier(x.mean((2, 3)))


def small(seed: int = 0, **kind) -> Small:
    torch.manual_seed(seed)
    return Small(**kind)


def values(profile: pd.DataFrame, measure: str) -> pd.DataFrame:
    return profile[profile["measure"] == measure]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_untrained_networks_are_at_their_nulls(architecture, digits, untrained):
    ratios, z, chis = [], [], []
    for seed in range(3):
        profile = profile_run(untrained(architecture, digits, budget=25_000, seed=seed), digits, CHEAP)
        ratio = values(profile, "dimensionality_ratio")
        ratios.append(ratio["value"].mean())
        z += ratio["z"].tolist()
        chis.append(values(profile, "chi")["value"].mean())
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)
    assert abs(np.mean(z)) < 1
    assert np.mean(chis) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("architecture", ["mobilenetv3", "convnext", "nodepth_a", "mobilenext"])
def test_batch_size_and_order_of_images_do_not_matter(architecture, fast, digits, untrained):
    # These have the kernels that treat the end of a batch differently. Fast networks keep the rounding of
    # float32 on an AMD EPYC, 2e-8, as some of its kernels go by batch size.
    rounding = 10 * torch.finfo(torch.float32).eps if fast else 1e-10
    net = untrained(architecture, digits, probe="solu_s1")
    if fast:
        accelerate(net)
    images = held_out(digits, 150)
    order = np.random.default_rng(1).permutation(len(images))
    sites, context = net.sites(), Context(net, net.sites(), images, Profile())
    names = ("class_selectivity", "position_similarity")
    passes = []
    for size, how in [(256, None), (7, None), (64, order), (1, None)]:
        own = [measures.find(name).Sums(context) for name in names]
        passes.append((collect(net, sites, images, own=own, batch_size=size, order=how), own))
    (whole, own_sums), *others = passes

    def assert_equal(first, second, keys):
        for key in keys:
            a, b = getattr(first, key), getattr(second, key)
            assert ((a - b).abs().max() / a.abs().max()).item() < rounding

    for other, other_sums in others:
        for name in whole.outputs:
            assert_equal(whole.outputs[name], other.outputs[name], ("count", "total", "outer"))
        assert whole.pooled
        for name in whole.pooled:
            assert_equal(whole.pooled[name], other.pooled[name], ("images", "total", "square"))
            rectified, unit = (sums.at[name] for sums in own_sums)
            assert_equal(rectified, other_sums[0].at[name], ("by_class", "shuffled"))
            assert_equal(unit, other_sums[1].at[name], ("similarity", "direction", "length"))


def test_the_same_call_gives_the_same_csv(digits, untrained):
    texts = [
        profile_run(untrained("mobilenetv2", digits), digits, Profile(), seed=1).to_csv(float_format="%.6g")
        for _ in range(2)
    ]
    assert texts[0] == texts[1]


def test_permuting_hidden_channels_changes_nothing(noise):
    dataset, net = noise(400), small()
    before = profile_run(net, dataset, CHEAP)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        net.conv.weight.copy_(net.conv.weight[order])
        net.conv.bias.copy_(net.conv.bias[order])
        net.pointwise.weight.copy_(net.pointwise.weight[:, order])
    after = profile_run(net, dataset, CHEAP)
    pd.testing.assert_series_equal(before["value"], after["value"], rtol=1e-3)
    exact = before["measure"].isin(["dimensionality", "log_ci", "dead_directions"])
    pd.testing.assert_series_equal(before["value"][exact], after["value"][exact], rtol=1e-5)


def test_rescaling_hidden_channels_changes_nothing(noise):
    dataset, net = noise(400), small()
    before = profile_run(net, dataset, CHEAP)
    gain = torch.tensor([0.1, 10, 1, 3, 0.5, 7])
    with torch.no_grad():
        net.conv.weight.mul_(gain.view(-1, 1, 1, 1))
        net.conv.bias.mul_(gain)
        net.pointwise.weight.div_(gain.view(1, -1, 1, 1))
    after = profile_run(net, dataset, CHEAP)
    pd.testing.assert_series_equal(before["value"], after["value"], rtol=1e-4)
    folded = before["measure"].isin(["dimensionality", "dimensionality_ratio", "log_ci"])
    pd.testing.assert_series_equal(before["value"][folded], after["value"][folded], rtol=1e-5)


def test_a_table_has_the_columns_and_a_reason_for_every_gap(digits, untrained):
    net, other = untrained("mobilenetv2", digits), untrained("mobilenetv2", digits, seed=1)
    profile = profile_run(net, digits, Profile(), untrained=other)
    assert list(profile.columns) == list(COLUMNS)
    assert not profile.duplicated(["measure", "site"]).any()
    assert profile["value"].notna().equals(profile["untrained"].notna())
    assert (profile.loc[profile["value"].isna(), "note"] != "").all()
    inside = profile.dropna(subset=["lower"])
    assert ((inside["lower"] <= inside["value"]) & (inside["value"] <= inside["upper"])).all()


def test_what_figures_show_is_kept_for_both_networks(digits, untrained):
    net, other, kept = untrained("mobilenext", digits), untrained("mobilenext", digits, seed=1), {}
    profile_run(net, digits, CHEAP, untrained=other, figure_data=kept)
    ends = [f"stages.{stage}.1" for stage in range(3)]
    own = {f"{end}.reduction/directions" for end in ends}
    own |= {f"{end}.stream/{what}" for end in ends for what in ("eigenvalues", "images", "cross_talk")}
    assert set(kept) == own | {f"untrained/{key}" for key in own}
    site = net.sites()["stages.2.1.reduction"]
    assert kept["stages.2.1.reduction/directions"].shape == site.pointwise.weight.shape[:2]
    eigenvalues = kept["stages.2.1.stream/eigenvalues"]
    assert eigenvalues.sum().item() == pytest.approx(len(eigenvalues), rel=1e-5)  # as many as correlations have ones
    assert (eigenvalues.diff() <= 0).all()
    talk = kept["stages.2.1.stream/cross_talk"]
    assert talk.shape == (10, 10)
    assert talk.mean(1).abs().max() < 1e-5


def test_summary_takes_blocks_that_do_not_stride_and_ends_of_stages(digits, untrained):
    profile = profile_run(untrained("mobilenetv2", digits), digits, CHEAP)
    short = summary(profile)
    ratio = profile[profile["measure"] == "dimensionality_ratio"].set_index("site")["value"]
    names = [f"stages.{s}.{b}.projection" for s, b in [(0, 0), (0, 1), (1, 1), (2, 1)]]
    assert short["r_projection"] == pytest.approx(ratio[names].mean())
    chi = profile[profile["measure"] == "chi"].set_index("site")["value"]
    assert short["chi_stages"] == pytest.approx(chi[[f"stages.{s}.1.stream" for s in range(3)]].mean())
    assert short["chi_last"] == pytest.approx(chi["stages.2.1.stream"])
    assert not any(key.startswith("sae") for key in short)
    json.dumps(short)


def test_every_measure_reaches_the_summary(digits, untrained):
    profile = profile_run(untrained("mobilenetv2", digits), digits, Profile())
    short, found = summary(profile), profile.groupby("measure")["value"].mean()
    for measure in ("ablation_interaction", "gradient_cosine", "gradient_conflict", "position_similarity"):
        assert short[measure] == pytest.approx(found[measure])
    first = {"dimensionality_ratio": "r", "floor_random": "", "floor_tight": "", "stride": "", "chi_floor": ""}
    stems = {first.get(measure, measure.removesuffix("_p10").removesuffix("_p90")) for measure in found.index}
    assert all(any(key.startswith(stem) for key in short) for stem in stems)


def test_settings_ask_for_autoencoders_at_the_ends_of_stages(digits, untrained):
    # 100 steps calibrate nothing; they show that a line in params.yaml is enough.
    settings = Profile(
        images=100, ablation_pairs=0, gradient_images=0, steering_images=2, measures=["sparse_features"], sae_steps=100
    )
    profile = profile_run(untrained("mobilenext", digits), digits, settings)
    rows = values(profile, "sae_features")
    assert rows["site"].tolist() == [f"stages.{stage}.1.reduction" for stage in range(3)]
    assert rows["note"].str.contains("not identifiable|dictionary").all()
    assert summary(profile)["sae_agreement"] == pytest.approx(values(profile, "sae_agreement")["value"].mean())


def test_intervals_cover_what_more_images_would_say(noise):
    # Jackknife of 200 images against the value of other 2,000: about 95 of 100 intervals should hold it.
    net = small(3)
    truth = profile_run(net, noise(4000, seed=99), Profile(images=4000, ablation_pairs=0, gradient_images=0))
    held = []
    for seed in range(12):
        profile = profile_run(net, noise(200, seed=seed), CHEAP)
        both = profile.merge(truth, on=["measure", "site"], suffixes=("", "_true"))
        both = both[both["measure"].isin(["dimensionality", "log_ci", "capacity_used", "position_similarity"])]
        held += ((both["lower"] <= both["value_true"]) & (both["value_true"] <= both["upper"])).tolist()
    assert 0.85 < np.mean(held) <= 1


def test_a_users_module_is_profiled_as_the_documentation_says(noise, tmp_path, monkeypatch):
    class Users(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.conv, self.norm = nn.Conv2d(1, 5, 3), nn.Conv2d(5, 6, 1), nn.BatchNorm2d(6)
            self.block, self.classifier = nn.ReLU(), nn.Linear(6, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.classifier(self.block(self.norm(self.conv(self.stem(x)))).mean((2, 3)))

    text = Path("docs/science/interference.md").read_text(encoding="utf-8")
    few, files = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(few.strip().splitlines()) <= 5
    monkeypatch.chdir(tmp_path)
    images = noise(100).validation
    known = {"net": Users(), "images": images.pixels, "labels": images.labels}
    exec(few, known)
    assert values(known["table"], "dimensionality")["value"].between(0, 1).all()
    assert values(known["table"], "chi")["value"].notna().all()
    exec(files, known)
    made = {path.name for path in Path("out").iterdir()}
    assert {"profile.csv", "summary.md", "profile.pdf", "directions.png", "spectra.png", "cross_talk.png"} <= made


def test_a_network_without_sites_is_refused(noise):
    with pytest.raises(LowparamError, match="no site; there is nothing to profile"):
        profile_run(small(), noise(50), Profile(), sites=lambda net: {})


def test_a_network_without_pointwise_layers_has_the_measures_of_its_maps(noise):
    def stream(net: nn.Module) -> dict[str, Site]:
        return {"block.stream": Site("stream", net.stream)}

    found, whole = profile_run(small(), noise(50), Profile(), sites=stream), profile_run(small(), noise(50), Profile())
    assert {"chi", "capacity_used", "class_selectivity"} <= set(found["measure"])
    assert not {"constructive", "dimensionality", "gradient_cosine"} & set(found["measure"])
    chi = values(found, "chi")["value"].item()
    assert chi == pytest.approx(values(whole, "chi").set_index("site")["value"]["block.stream"])


def test_no_held_out_images_are_refused(noise):
    with pytest.raises(LowparamError, match="no validation or test images"):
        held_out(noise(0), 10)


@pytest.mark.parametrize("images", [1, 2, 7])
def test_few_images_leave_gaps_with_reasons(images, noise):
    profile = profile_run(small(), noise(images), Profile())
    assert (profile.loc[profile["value"].isna(), "note"] != "").all()
    assert not np.isinf(profile.select_dtypes("number")).any().any()
    if images == 1:
        assert "2 folds" in values(profile, "capacity_used")["note"].iloc[0]
    if images == 7:  # fewer than folds: each image is one
        assert values(profile, "capacity_used")["value"].notna().all()


@pytest.mark.parametrize("architecture", ["mobilenetv2", "convnext"])
def test_nan_weights_are_undefined_and_say_so(architecture, digits, untrained):
    net = untrained(architecture, digits)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(torch.nan)
    profile = profile_run(net, digits, Profile(), untrained=untrained(architecture, digits))
    counted = profile["measure"].isin(["stride", "chi_floor", "dead_directions"])
    assert profile.loc[~counted, "value"].isna().all()
    assert profile.loc[~counted, "note"].str.contains("not finite|not read").all()
    assert summary(profile)["r_projection"] != summary(profile)["r_projection"]


def test_dead_and_constant_channels_are_noted(noise):
    net = small()
    with torch.no_grad():
        net.conv.weight[0].zero_()
        net.conv.bias[0] = 1.0  # constant
        net.conv.weight[1].zero_()
        net.conv.bias[1] = -1.0  # never positive
        net.norm.bias.fill_(3.0)
        net.norm.weight[2] = 0
        net.norm.bias[2] = -1  # never positive
    profile = profile_run(net, noise(200), Profile())
    assert values(profile, "dead_directions")["value"].tolist() == [2]
    assert "2 dead" in values(profile, "dimensionality")["note"].iloc[0]
    assert "1 constant" in values(profile, "capacity_used")["note"].iloc[0]
    assert "1 silent" in values(profile, "class_selectivity")["note"].iloc[0]


def test_a_constant_network_is_undefined(noise):
    net = small()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    profile = profile_run(net, noise(100), Profile())
    for measure in ("dimensionality", "log_ci", "capacity_used", "chi", "gradient_cosine"):
        row = values(profile, measure)
        assert row["value"].isna().all(), measure
        assert (row["note"] != "").all()


def test_another_number_of_outputs_leaves_chi_undefined(noise):
    profile = profile_run(small(classes=3), noise(100, classes=4), Profile())
    assert "3 outputs for 4 classes" in values(profile, "chi")["note"].iloc[0]
    assert "fewer" in values(profile, "gradient_cosine")["note"].iloc[0]


def test_two_classes_leave_chi_undefined(noise):
    profile = profile_run(small(classes=2), noise(100, classes=2), Profile())
    assert "at least 3 classes" in values(profile, "chi")["note"].iloc[0]


def test_many_classes_are_sampled(noise):
    profile = profile_run(small(classes=40), noise(800, classes=40), Profile(steering_classes=10))
    row = values(profile, "chi").iloc[0]
    assert row["n"] == 10
    assert row["note"] == "10 of 40 classes"


def test_untrained_values_stand_beside_their_own_site(digits, untrained):
    net, before = untrained("mobilenetv1", digits), untrained("mobilenetv1", digits, seed=5)
    profile = profile_run(net, digits, CHEAP, untrained=before)
    images = held_out(digits, 2000)
    half = HeldOut(digits, images.rows[::2], images.labels[::2])
    fewer = CHEAP.model_copy(update={"folds": 4, "null_draws": 25, "steering_images": 8})
    alone = {(v.measure, v.site): v.value for v in measure_network(before, before.sites(), half, fewer)[0]}
    found = {(m, s): u for m, s, u in zip(profile["measure"], profile["site"], profile["untrained"], strict=True)}
    assert found == pytest.approx(alone)


def test_images_on_disk_give_what_images_in_memory_give(noise, tmp_path):
    dataset = noise(60)
    splits = {}
    for name in ("train", "validation", "test"):
        split = getattr(dataset, name)
        for i, pixels in enumerate(split.pixels):
            Image.fromarray(pixels[0].numpy()).save(tmp_path / f"{name}{i}.png")
        names = np.array([f"{name}{i}.png".encode() for i in range(len(split))])
        splits[name] = Files(tmp_path, names, split.labels)
    about = {"classes": dataset.classes, "mean": dataset.mean, "std": dataset.std, "in_channels": 1, "size": 8}
    streamed = Streamed(**splits, **about, sha256="")
    profiles = []
    for data in (dataset, streamed):
        net = small()
        recalibrate(net, data)
        profiles.append(profile_run(net, data, CHEAP))
    pd.testing.assert_frame_equal(*profiles)
    (tmp_path / "test3.png").write_bytes(b"nothing")
    with pytest.raises(LowparamError, match=r"test3\.png is not a readable image: "):
        profile_run(small(), streamed, CHEAP)
