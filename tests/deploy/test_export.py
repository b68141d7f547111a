"""An exported network computes what torch computes, and knows what its user has to know."""

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

from lowparam.cli import app
from lowparam.deploy import packages
from lowparam.deploy.export import ABOUT, export
from lowparam.deploy.images import Inputs
from lowparam.deploy.program import as_deployed, program_of
from lowparam.errors import LowparamError
from lowparam.models import blocks
from lowparam.models.blocks.bcos import Uncentred
from lowparam.models.skeletons import controlled, published

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

QUICK = ("mobilenetv3", "nodepth_a", "unireplknet+prepbn+se", "mobilenetv2+dcls")
CORE = ("mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenext", "convnext", "nodepth_a", "starnet", *QUICK)
PARTS = ("mobilenetv2+se+prelu+blurpool", "mobilenetv1+kan", "mobilenetv2+prepbn+laurel_rw")


def inputs(images: torch.Tensor) -> Inputs:
    return Inputs(images, np.arange(len(images)))


def every_block() -> list[str]:
    return [*blocks.names(), *PARTS]


def operators(path) -> list[str]:
    return [node.op_type for node in onnx.load(str(path)).graph.node]


def assert_equal_to_torch(name, images, lived_in, folder):
    torch.manual_seed(0)
    net = lived_in(controlled.build(name, 8.0, classes=10, in_channels=1, size=8), images)
    found = export(net, folder / "net.onnx", "onnx", test=inputs(images), about={}, name=name)
    assert found["largest_difference"] <= 1e-4 * max(1, found["largest_logit"])
    assert found["same_predictions"] >= 199
    assert json.loads((folder / "net.onnx.json").read_text()) == found


@pytest.mark.parametrize("name", QUICK)
def test_a_network_of_onnx_computes_what_torch_computes(name, digit_images, lived_in, tmp_path):
    assert_equal_to_torch(name, digit_images, lived_in, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", every_block())
def test_every_block_and_three_parts_in_onnx_compute_what_torch_computes_or_name_an_operator(
    name, digit_images, lived_in, tmp_path
):
    try:
        assert_equal_to_torch(name, digit_images, lived_in, tmp_path)
    except LowparamError as refusal:  # as for soft, which solves a linear system; never for the networks of the papers
        assert name not in (*CORE, *PARTS)
        assert re.search(r"ONNX has no operator for aten\.\w+|the operator aten\.[\w.]+ cannot be", str(refusal))


def test_no_batch_norm_is_left_behind_a_convolution(digit_images, lived_in, tmp_path):
    net = lived_in(controlled.build("mobilenetv2", 8.0, classes=10, in_channels=1, size=8), digit_images)
    program = program_of(net, (1, 8, 8))
    assert not [node for node in program.graph.nodes if "batch_norm" in str(node.target)]
    torch.testing.assert_close(program.module()(digit_images), net(digit_images), rtol=1e-4, atol=1e-5)


def test_a_norm_whose_convolution_somebody_else_reads_stays():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x):
            y = self.conv(x)
            return (y + self.norm(y)).mean((2, 3))

    net, images = Twice(), torch.rand(8, 1, 8, 8)
    net(images)
    net.norm.weight.data.uniform_(0.5, 2)
    program = program_of(net, (1, 8, 8))
    assert [node for node in program.graph.nodes if "batch_norm" in str(node.target)]
    torch.testing.assert_close(program.module()(images), net.eval()(images))


def test_a_network_is_left_as_it_was(digit_images):
    net = controlled.build("mobilenetv2+dcls", 8.0, classes=10, in_channels=1, size=8)
    before, logits = {name: tensor.clone() for name, tensor in net.state_dict().items()}, net.eval()(digit_images)
    copy = as_deployed(net.train())
    assert net.training
    assert torch.equal(net.eval()(digit_images), logits)
    torch.testing.assert_close(copy(digit_images), logits)
    assert net.state_dict().keys() == before.keys()
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_smaller_kernels_merge_into_the_large_one(digit_images, lived_in):
    net = lived_in(controlled.build("unireplknet", 8.0, classes=10, in_channels=1, size=8), digit_images)
    convolutions = [sum(isinstance(module, nn.Conv2d) for module in each.modules()) for each in (net, as_deployed(net))]
    assert convolutions[1] < convolutions[0]
    torch.testing.assert_close(as_deployed(net)(digit_images), net(digit_images), rtol=1e-4, atol=1e-4)


def test_a_norm_without_mean_and_bias_is_a_batch_norm_on_a_device(digit_images, lived_in):
    net = lived_in(nn.Sequential(nn.Conv2d(1, 4, 3), Uncentred(4)), digit_images)
    device = as_deployed(net)
    assert isinstance(device[1], nn.BatchNorm2d)
    torch.testing.assert_close(device(digit_images), net(digit_images))


def test_a_program_of_torch_loads_without_lowparam(digit_images, lived_in, tmp_path):
    net = lived_in(controlled.build("convnext", 8.0, classes=10, in_channels=1, size=8), digit_images)
    found = export(net, tmp_path / "net.pt2", "torch", test=inputs(digit_images), about={"size": "8"})
    assert found["largest_difference"] <= 1e-4
    extra = {ABOUT: ""}
    program = torch.export.load(tmp_path / "net.pt2", extra_files=extra)
    torch.testing.assert_close(program.module()(digit_images[:3]), net(digit_images[:3]))
    assert json.loads(extra[ABOUT]) == {"size": "8"}
    assert "lowparam." not in str(program.graph_module.code)


@pytest.mark.parametrize("to", ["onnx", "torch"])
def test_an_operator_that_a_runtime_does_not_have_is_named(to, tmp_path):
    class Odd(nn.Module):
        def forward(self, x):
            if to == "torch" and x.sum() > 0:  # depends on values, which no program knows
                return x.flatten(1)[:, :10]
            return torch.linalg.svdvals(x.flatten(1).float()[:, None] * torch.ones(10, 1)) + x.flatten(1)[:, :10]

    what = {"onnx": "ONNX has no operator for aten.*svd", "torch": "the network cannot be exported: .*data-dependent"}
    with pytest.raises(LowparamError, match=what[to]) as error:
        export(Odd(), tmp_path / f"odd.{to}", to, test=inputs(torch.rand(4, 1, 8, 8)), about={})
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_eight_bits_are_calibrated_and_measured(trained, tmp_path, monkeypatch, capsys):
    folder, run = trained
    monkeypatch.chdir(folder)
    app(["export", str(run), "--to", "onnx-int8", "--out", str(tmp_path)], standalone_mode=False)
    path = tmp_path / "mobilenetv2-none-5k-seed0.int8.onnx"
    assert {"QuantizeLinear", "DequantizeLinear"} <= set(operators(path))
    found = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert found["images"] == 200 and found["same_predictions"] >= 160
    assert f"accuracy {found['accuracy']:.2%}" in capsys.readouterr().out
    matrices = [each for each in onnx.load(str(path)).graph.initializer if len(each.dims) > 1]
    assert matrices and {each.data_type for each in matrices} == {onnx.TensorProto.INT8}


def test_an_onnx_file_alone_is_enough_to_classify(trained, tmp_path, monkeypatch):
    from lowparam import data, load_run, paths

    folder, run = trained
    monkeypatch.chdir(folder)
    path = tmp_path / "alone.onnx"
    app(["export", str(run / "model.safetensors"), "--to", "onnx", "--out", str(path)], standalone_mode=False)
    assert b"lowparam/" not in path.read_bytes()  # paths of this machine
    session = onnxruntime.InferenceSession(str(path))
    about = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    assert (about["size"], about["channels"]) == (8, 1)
    test = data.load(paths.data("digits")).test
    pixels = test.pixels.numpy().astype(np.float32)
    shape = (1, -1, 1, 1)
    images = (pixels - np.reshape(about["mean"], shape)) / np.reshape(about["std"], shape)
    (logits,) = session.run(None, {"images": images.astype(np.float32)})
    expected = load_run(run).predict(test.pixels)
    assert [about["classes"][row] for row in logits.argmax(1)] == expected


def test_a_network_of_timm_is_exported_with_random_weights(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(trained[0])
    given = ["export", "timm:test_resnet", "--data", "results/data/digits", "--out", str(tmp_path)]
    app(given, standalone_mode=False)
    assert (tmp_path / "timm.test_resnet-random.onnx").is_file()
    assert "gets random weights" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{run}", "--to", "tflite"], "unknown format of --to 'tflite'"),
        (["timm:test_resnet"], "is no run of yours: give the images to check it on, --data"),
        (
            ["{run}", "--data", "results/data/digit"],
            "is no folder of prepared data; did you mean 'results/data/",
        ),
        (["{run}", "--pretrained"], "are for networks of timm"),
        (["nowhere"], "nowhere does not exist; train the run first"),
    ],
)
def test_what_cannot_be_exported_is_one_line(arguments, message, trained, tmp_path, monkeypatch, capsys):
    folder, run = trained
    monkeypatch.chdir(folder)
    given = [argument.format(run=run) for argument in arguments]
    assert app(["export", *given, "--out", str(tmp_path)], standalone_mode=False) == 1
    printed = capsys.readouterr().err.strip()
    assert message in printed and "\n" not in printed


def test_a_run_whose_images_are_not_here_says_so(trained, tmp_path, monkeypatch, capsys):
    folder, run = trained
    monkeypatch.chdir(tmp_path)
    assert app(["export", str(folder / run)], standalone_mode=False) == 1
    assert "are not in results/data; prepare them" in capsys.readouterr().err


def test_a_package_that_is_missing_is_named(trained, monkeypatch, capsys):
    folder, run = trained
    monkeypatch.chdir(folder)
    find = packages.importlib.util.find_spec
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None if name == "onnx" else find(name))
    assert app(["export", str(run)], standalone_mode=False) == 1
    assert "the package onnx is missing; run: pip install 'lowparam[deploy]'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenetv1_x0.25", "starnet_s050"])
def test_published_networks_are_exported(name, lived_in, tmp_path):
    torch.manual_seed(0)
    images = torch.randn(64, 3, 32, 32)
    net = lived_in(published.build(name, classes=10, in_channels=3, size=32), images)
    found = export(net, tmp_path / "net.onnx", "onnx", test=inputs(images), about={}, name=name)
    assert found["same_predictions"] == 64
