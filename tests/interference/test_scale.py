"""Profiles of trained runs, from files to files; what they cost; networks of timm."""

import json
import time
from pathlib import Path

import numpy
import pandas as pd
import psutil
import pytest
import timm
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from lowparam import params as parameters
from lowparam.cli import app
from lowparam.data import save
from lowparam.errors import LowparamError
from lowparam.interference.figure_data import read
from lowparam.interference.held_out import held_out
from lowparam.interference.measurement import COLUMNS
from lowparam.interference.one_pass import collect
from lowparam.interference.profile import profile_run
from lowparam.interference.profile_scale import profile_scale
from lowparam.interference.profile_timm import profile_timm
from lowparam.interference.summary import summary
from lowparam.models import timm_adapter
from lowparam.models.weights import fit, read_weights
from lowparam.params import Params, Profile
from lowparam.training.train_scale import train_scale

YAML = """
replicate: [small]
data: {digits: {source: digits, split: {train: 0.6, validation: 0.15, test: 0.25}}}
recipes: {short: {epochs: %d, batch_size: 64, lr: 0.01, schedule: cosine}}
experiments:
  small: {data: digits, recipe: short, architectures: [%s], probes: [none], budgets: [%s], seeds: [0]}
"""


@pytest.fixture
def folder(tmp_path, digits) -> Path:
    save(
        tmp_path / "data",
        {"train": digits.train, "validation": digits.validation, "test": digits.test},
        digits.classes,
        name="digits",
    )
    return tmp_path


def experiment(folder: Path, *, epochs: int = 3, architecture: str = "mobilenetv2", budget: str = "10k") -> Params:
    (folder / "params.yaml").write_text(YAML % (epochs, architecture, budget))
    return parameters.load(folder / "params.yaml")


def trained(folder: Path, params: Params) -> Path:
    scale = params.scales("small")[0]
    train_scale(params, scale, data_folder=folder / "data", work=folder / "work", results=folder / "run", device="cpu")
    return folder / "run"


def test_a_trained_run_gets_its_profile(folder):
    params = experiment(folder)
    results, scale = trained(folder, params), params.scales("small")[0]
    profile_scale(params, scale, data_folder=folder / "data", results=results, out=folder / "profiles", device="cpu")
    first = [(folder / f"profiles/seed0.{suffix}").read_bytes() for suffix in ("csv", "safetensors")]
    profile_scale(params, scale, data_folder=folder / "data", results=results, out=folder / "profiles", device="cpu")
    assert [(folder / f"profiles/seed0.{suffix}").read_bytes() for suffix in ("csv", "safetensors")] == first
    profile = pd.read_csv(folder / "profiles/seed0.csv")
    assert tuple(profile.columns) == COLUMNS
    short = summary(profile)
    assert short["chi_last"] < 0.8 * short["chi_last_untrained"]  # it learned to tell classes apart
    assert short["r_projection_untrained"] == pytest.approx(1, abs=0.05)


def test_missing_damaged_and_foreign_weights_are_named(folder):
    params = experiment(folder)
    scale = params.scales("small")[0]
    arguments = {"data_folder": folder / "data", "results": folder / "run", "device": "cpu"}
    with pytest.raises(LowparamError, match=r"model\.safetensors does not exist; train the run first"):
        profile_scale(params, scale, **arguments)
    results = trained(folder, params)
    with pytest.raises(LowparamError, match="weights of another network"):
        other = experiment(folder, budget="20k")
        profile_scale(other, other.scales("small")[0], **arguments)
    (results / "seed0/model.safetensors").write_bytes(b"nothing")
    with pytest.raises(LowparamError, match="cannot read"):
        profile_scale(params, scale, **arguments)


@pytest.mark.slow
def test_trained_projections_are_packed_and_a_profile_costs_a_tenth_of_the_training(folder):
    params = experiment(folder, epochs=20, budget="25k")
    scale = params.scales("small")[0]
    start = time.process_time()
    results = trained(folder, params)
    training = time.process_time() - start
    arguments = {"data_folder": folder / "data", "results": results, "out": folder / "profiles", "device": "cpu"}
    profile_scale(params, scale, **arguments)  # the first profile of a process also warms it up
    start = time.process_time()
    profile_scale(params, scale, **arguments)
    assert time.process_time() - start < 0.1 * training
    assert summary(pd.read_csv(folder / "profiles/seed0.csv"))["r_projection"] < 0.95


@pytest.mark.slow
def test_memory_is_flat_in_the_number_of_images(untrained, noise):
    process, used = psutil.Process(), []
    dataset = noise(20_000, classes=10)
    net = untrained("mobilenetv2", dataset)
    collect(net, net.sites(), held_out(dataset, 2000))
    for images in (2000, 20_000):
        peak = process.memory_info().rss
        chosen = held_out(dataset, images)

        def watch(*_):
            nonlocal peak
            peak = max(peak, process.memory_info().rss)

        with net.stages[2][1].register_forward_hook(watch):
            collect(net, net.sites(), chosen)
        used.append(peak)
    assert used[1] - used[0] < 30 * 2**20


def test_a_network_of_timm_is_profiled_without_training(folder):
    profile_timm("timm:mobilenetv3_small_050", folder / "data", folder / "out", settings=Profile(images=60))
    profile = pd.read_csv(folder / "out/profile.csv")
    chosen = profile[profile["measure"] == "dimensionality_ratio"]
    assert chosen["value"].mean() == pytest.approx(1, abs=0.05)
    assert profile.loc[profile["measure"] == "chi", "value"].notna().all()
    stride = profile[profile["measure"] == "stride"].set_index("site")["value"]
    assert stride.loc["blocks.1.0.stream"] == 2 and stride.loc["blocks.1.1.stream"] == 1
    projections = chosen[chosen["kind"] == "projection"].set_index("site")["value"]
    straight = [site for site in projections.index if stride.get(".".join(site.split(".")[:3]) + ".stream", 1) == 1]
    assert 0 < len(straight) < len(projections)
    assert summary(profile)["r_projection"] == pytest.approx(projections[straight].mean())
    assert json.loads((folder / "out/summary.json").read_text())["model"] == "timm:mobilenetv3_small_050"


def test_what_goes_through_a_classifier_of_other_classes_is_undefined(folder, monkeypatch):
    theirs = timm.create_model("mobilenetv3_small_050", num_classes=1000)
    save_file(theirs.state_dict(), folder / "model.safetensors")
    monkeypatch.setattr(timm_adapter, "hf_hub_download", lambda **file: str(folder / file["filename"]))
    model = "timm:mobilenetv3_small_050"
    profile_timm(model, folder / "data", folder / "out", pretrained=True, settings=Profile(images=60))
    profile = pd.read_csv(folder / "out/profile.csv")
    through = profile["measure"].isin(["chi", "chi_floor", "ablation_interaction", "gradient_cosine"])
    assert profile.loc[through, "value"].isna().all()
    assert profile.loc[through, "note"].str.contains("of other classes").all()
    assert profile.loc[profile["measure"] == "dimensionality", "value"].notna().all()
    kept, _ = read(folder / "out/profile.safetensors")
    assert not any(key.endswith("cross_talk") for key in kept)
    assert json.loads((folder / "out/summary.json").read_text())["weights"] == "pretrained"


@pytest.mark.parametrize(
    ("model", "classes", "channels", "same"),
    [
        ("mobilenetv3_small_050", 1000, 3, False),  # as every public file of ImageNet
        ("test_vit", 100, 1, False),
        ("mobilenetv3_small_050", 10, 1, True),
    ],
)
def test_a_file_of_other_classes_and_channels_is_loaded_as_from_the_hub(model, classes, channels, same):
    torch.manual_seed(1)
    theirs = timm.create_model(model, num_classes=classes, in_chans=channels)
    ours = timm.create_model(model, num_classes=10, in_chans=1, **({"img_size": 32} if "vit" in model else {}))
    assert fit(ours, theirs.state_dict()) is same
    image = torch.rand(1, 1, 160 if "vit" in model else 64, 160 if "vit" in model else 64)
    if "vit" in model:
        ours.set_input_size(img_size=160)
        assert torch.equal(ours.blocks[0].attn.qkv.weight, theirs.blocks[0].attn.qkv.weight)
    else:
        images = image.expand(-1, channels, -1, -1)
        seen, wanted = ours.eval().forward_features(image), theirs.eval().forward_features(images)
        torch.testing.assert_close(seen, wanted, rtol=1e-4, atol=1e-5)
    if same:
        assert torch.equal(ours.classifier.weight, theirs.classifier.weight)


def test_grey_weights_see_the_mean_of_colours():
    theirs = timm.create_model("test_resnet", num_classes=7, in_chans=1).eval()
    ours = timm.create_model("test_resnet", num_classes=10, in_chans=3).eval()
    fit(ours, theirs.state_dict())
    grey = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(
        ours.forward_features(grey.expand(-1, 3, -1, -1)), theirs.forward_features(grey), rtol=1e-4, atol=1e-5
    )


def test_wrappers_around_the_names_are_taken_off(tmp_path):
    state = timm.create_model("test_resnet", num_classes=7).state_dict()
    wrapped = {f"state_dict.module._orig_mod.{name}": tensor for name, tensor in state.items()}
    save_file(wrapped, tmp_path / "wrapped.safetensors")
    assert read_weights(tmp_path / "wrapped.safetensors").keys() == state.keys()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a pointer of Git LFS .* git lfs pull"),
        (b"PK\x03\x04archive/data.pkl", "is an archive that is cut off, perhaps of torch.save; give a safetensors"),
        (b"\x08\x08\x12\x07pytorch", "is a protocol buffer, perhaps of ONNX or TensorFlow; give a safetensors file"),
        (b"\x1c\x00\x00\x00TFL3\x14\x00", "is a TensorFlow Lite file"),
        (b"\xfd7zXZ\x00", "is packed by xz"),
        (b"w/model.pth".ljust(257, b"\0") + b"ustar\0", "is a tar archive"),
        (b"\xff\xd8\xff\xe0", "is a picture"),
        (b"<?xml version='1.0'?><net/>", "is an XML file"),
        (b"\x80\x02}q\x00.", "is a pickle of PyTorch"),
        (b"\x93NUMPY\x01\x00", "is an array of NumPy; give a safetensors file"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file; give a safetensors file"),
        (b"GGUF\x03\x00", "is a GGUF file; give a safetensors file"),
        (b"<!DOCTYPE html>", "is a web page"),
        (b'{"weight_map": {}}', "is JSON, perhaps the index of several files"),
        (b"", "is empty; give a safetensors file"),
        (b"no weights", "is not a safetensors file, or is damaged"),
        (None, "does not exist"),
    ],
)
def test_a_file_that_holds_no_weights_is_called_what_it_is(tmp_path, content, says):
    if content is not None:
        (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(LowparamError, match=says) as refusal:
        read_weights(tmp_path / "w.pth")
    assert "delete" not in str(refusal.value)


def test_folders_and_archives_are_called_what_they_are(tmp_path):
    numpy.savez(tmp_path / "w.npz", a=numpy.zeros(3))
    torch.save({"a": torch.zeros(3)}, tmp_path / "w.pth")
    for name, says in (("w.npz", "is an archive of a.npy"), ("w.pth", "is a pickle"), ("", "is a folder")):
        with pytest.raises(LowparamError, match=says):
            read_weights(tmp_path / name)


def test_weights_whose_first_bytes_are_those_of_another_kind_are_read(tmp_path):
    """The first bytes are the length of the header, so they may be any."""
    for length in range(200):
        save_file({"a": torch.zeros(3)}, tmp_path / "w.safetensors", metadata={"note": "x" * length})
        assert read_weights(tmp_path / "w.safetensors").keys() == {"a"}


def test_what_a_trainer_stores_next_to_the_weights_is_left_out(tmp_path):
    state = {"stem.weight": torch.zeros(3), "head.bias": torch.ones(2)}
    others = {"epoch": torch.tensor(3), "state_dict_ema.stem.weight": torch.ones(3)}
    for wrapper, more in (("state_dict.", others), ("model.", {"epoch": torch.tensor(3)}), ("net.", {})):
        wrapped = {f"{wrapper}{name}": tensor for name, tensor in state.items()}
        save_file(wrapped | more, tmp_path / "w.safetensors")
        assert read_weights(tmp_path / "w.safetensors").keys() == state.keys()


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({}, "has no tensors; give a safetensors file"),
        ({"a.b": torch.tensor([1.0, float("nan")])}, "a.b has values that are no finite numbers, as after a training"),
        ({"a.b": torch.tensor([float("inf")]).half()}, "a.b has values that are no finite numbers"),
        (
            {"a.b": torch.tensor([1e300], dtype=torch.float64)},
            "a.b has values that are no finite numbers",
        ),  # in float32
        ({"a.b": torch.ones(3).to(torch.float8_e4m3fn)}, "a.b is float8_e4m3fn, .*; save it as float32"),
        ({"bn.running_var": torch.tensor([0.5, -0.1])}, "bn.running_var has negative values"),
    ],
)
def test_weights_that_measure_nothing_are_refused(tmp_path, tensors, says):
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(LowparamError, match=says):
        read_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: {name: state[name] for name in state if name != "conv1.0.weight"}, "it lacks conv1.0.weight$"),
        (lambda state: {**state, "zz": torch.zeros(3)}, "another network: it has zz$"),
        (lambda state: {"zz": torch.zeros(3)}, "it lacks .+ and it has zz$"),
        (lambda state: {**state, "conv1.0.weight": (100 * state["conv1.0.weight"]).to(torch.int8)}, "int8 in the file"),
        (lambda state: {**state, "conv1.0.weight": state["conv1.0.weight"] > 0}, "conv1.0.weight is bool in the file"),
        (lambda state: {**state, "conv1.0.weight": state["conv1.0.weight"] + 0j}, "is complex64 in the file"),
        (lambda state: {**state, "conv1.0.weight": torch.zeros(3, 8, 3, 3)}, r"is \(3, 8, 3, 3\), not "),
    ],
)
def test_weights_that_do_not_fit_are_named_with_the_tensor(change, says):
    state = timm.create_model("test_resnet", num_classes=10, in_chans=3).state_dict()
    assert "conv1.0.weight" in state
    with pytest.raises(LowparamError, match=says):
        fit(timm.create_model("test_resnet", num_classes=10, in_chans=1), change(state))


def test_a_network_without_weights_is_called_random(folder, monkeypatch):
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, ["inspect", "timm:test_resnet", "--data", "data", "--out", "out"])
    assert result.exit_code == 0, result.output
    assert "timm:test_resnet gets random weights; give --weights or --pretrained" in result.output
    assert "timm:test_resnet with random weights" in (folder / "out/summary.md").read_text()
    assert json.loads((folder / "out/summary.json").read_text())["weights"] == "random"


def test_weights_of_another_network_of_timm_are_refused(folder):
    save_file({"nothing": torch.zeros(1)}, folder / "weights.safetensors")
    with pytest.raises(LowparamError, match="weights of another network"):
        profile_timm(
            "timm:mobilenetv3_small_050", folder / "data", folder / "out", weights=folder / "weights.safetensors"
        )
    with pytest.raises(LowparamError, match="two sources of weights"):
        profile_timm("timm:resnet18", folder / "data", folder / "out", weights="some.safetensors", pretrained=True)
    with pytest.raises(LowparamError, match="must be timm:"):
        profile_timm("resnet18", folder / "data", folder / "out")


def test_norms_of_timm_are_folded_and_steering_reaches_the_network(digits):
    from lowparam.models.timm_adapter import build

    torch.manual_seed(0)
    net = build("timm:mobilenetv2_050", classes=10, in_channels=1, size=8)
    assert all(site.norm is not None for site in net.sites().values() if site.pointwise is not None)
    profile = profile_run(net, digits, Profile(images=40, ablation_pairs=0, gradient_images=0))
    assert profile.loc[profile["measure"] == "chi", "value"].notna().all()
