"""The compiled layers against torch's own in float64; skipped where they are not built (`lowparam build`)."""

import copy
import re
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn
from typer.testing import CliRunner

from lowparam.cli import app
from lowparam.data import Dataset
from lowparam.data.sources import digits
from lowparam.errors import LowparamError
from lowparam.models import network_for
from lowparam.models.layers import ConvNormAct, LayerNorm2d, compiled
from lowparam.models.layers.fast import accelerate
from lowparam.models.layers.fused import FusedConvNormAct
from lowparam.params import Recipe
from lowparam.training.loop import Training

needs_build = pytest.mark.skipif(
    compiled.loaded() is None, reason="the compiled layers are switched off, or not built: lowparam build"
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def everything(module, x, grad):
    """Return the output, the gradients of input and parameters, and the buffers, all in float64."""
    x = x.detach().clone().requires_grad_()
    y = module(x)
    grads = torch.autograd.grad(y, [x, *module.parameters()], grad)
    return [value.double() for value in (y, *grads, *module.buffers())]


def assert_as_torch(plain, x, factor=4.0):
    """Check that the accelerated module errs from float64 by at most `factor` times what torch errs in float32."""
    x = x.to(memory_format=torch.channels_last)
    with torch.no_grad():
        grad = torch.randn(copy.deepcopy(plain)(x).shape)
    fast, exact = copy.deepcopy(plain), copy.deepcopy(plain).double()
    accelerate(fast)
    ours, truth, theirs = (
        everything(fast, x, grad),
        everything(exact, x.double(), grad.double()),
        everything(copy.deepcopy(plain), x, grad),
    )
    for a, b, c in zip(ours, truth, theirs, strict=True):
        scale = b.abs().max().clamp_min(1e-2)
        assert ((a - b).abs().max() / scale).item() <= factor * ((c - b).abs().max() / scale).item() + 2e-5
    return fast


ACTIVATIONS = {"none": None, "relu": nn.ReLU, "relu6": nn.ReLU6, "hardswish": nn.Hardswish, "gelu": nn.GELU}


@needs_build
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kernel,stride", [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (7, 2)])
@pytest.mark.parametrize("images,channels,out,size", [(3, 5, 7, 6), (8, 53, 53, 7), (4, 17, 93, 9), (16, 100, 16, 2)])
def test_convolution_norm_and_activation_are_those_of_torch(images, channels, out, size, kernel, stride, activation):
    torch.manual_seed(0)
    out, groups = (out, 1) if kernel == 1 else (channels, channels)
    conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    act = ACTIVATIONS[activation]
    plain = ConvNormAct(conv, nn.BatchNorm2d(out), act() if act else None)
    nn.init.uniform_(plain.norm.weight, 0.5, 1.5)
    nn.init.normal_(plain.norm.bias)
    fast = assert_as_torch(plain, torch.randn(images, channels, size, size) + 1)
    assert type(fast) is FusedConvNormAct
    assert fast.norm.num_batches_tracked == 1


@needs_build
@pytest.mark.parametrize("layer", [LayerNorm2d(53), nn.GELU(), nn.BatchNorm2d(53), nn.Conv2d(53, 9, 1)], ids=repr)
def test_layers_alone_are_those_of_torch(layer):
    torch.manual_seed(0)
    assert_as_torch(layer, torch.randn(4, 53, 5, 5) * 2 + 1)


@needs_build
def test_an_offset_far_above_the_deviation_is_as_exact_as_in_torch():
    torch.manual_seed(0)
    assert_as_torch(nn.BatchNorm2d(20), torch.randn(8, 20, 6, 6) + 1000)


@needs_build
def test_a_constant_channel_becomes_the_shift():
    norm = nn.BatchNorm2d(3)
    accelerate(norm)
    x = torch.full((4, 3, 5, 5), 7.3).to(memory_format=torch.channels_last).requires_grad_()
    y = norm(x)
    assert torch.equal(y, torch.zeros_like(y))
    assert torch.isfinite(torch.autograd.grad(y.sum(), x)[0]).all()


@needs_build
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_value_that_is_not_finite_is_seen_in_its_channel_and_in_no_other(activation, value):
    act = ACTIVATIONS[activation]
    net = ConvNormAct(nn.Conv2d(5, 5, 3, 1, 1, groups=5, bias=False), nn.BatchNorm2d(5), act() if act else None)
    accelerate(net)
    x = torch.randn(4, 5, 6, 6).to(memory_format=torch.channels_last)
    x[1, 2, 3, 3] = value
    y = net(x.requires_grad_())
    assert y[:, 2].isnan().all()
    assert y[:, [0, 1, 3, 4]].isfinite().all()


@needs_build
def test_a_map_in_another_order_is_computed_alike():
    torch.manual_seed(0)
    net = ConvNormAct(nn.Conv2d(6, 9, 1, bias=False), nn.BatchNorm2d(9), nn.ReLU())
    accelerate(net)
    x = torch.randn(2, 6, 5, 10, requires_grad=True)[..., ::2]
    assert torch.equal(net(x), net(x.contiguous(memory_format=torch.channels_last)))


@needs_build
def test_hooks_inside_see_what_torch_would_show():
    net = ConvNormAct(nn.Conv2d(6, 9, 1, bias=False), nn.BatchNorm2d(9), nn.ReLU())
    accelerate(net)
    x, seen = torch.randn(2, 6, 5, 5).requires_grad_(), []
    y = net(x)
    net.norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
    assert torch.allclose(net(x), y, atol=1e-5)
    assert torch.allclose(F.relu(seen[0]), y, atol=1e-5)


@needs_build
def test_one_value_a_channel_is_the_error_of_torch():
    net = ConvNormAct(nn.Conv2d(6, 9, 1, bias=False), nn.BatchNorm2d(9), nn.ReLU())
    accelerate(net)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        net(torch.randn(1, 6, 1, 1))


@needs_build
def test_a_second_derivative_is_refused():
    conv = nn.Conv2d(6, 9, 1)
    accelerate(conv)
    with pytest.raises(RuntimeError, match="LOWPARAM_COMPILED=0"):
        torch.autograd.grad(conv(torch.randn(2, 6, 5, 5)).sum(), conv.weight, create_graph=True)


@pytest.mark.slow
@needs_build
def test_over_ten_seeds_networks_are_as_accurate_as_with_the_layers_of_torch(monkeypatch):
    """docs/performance.md has the accuracies, which `pytest -s` prints."""
    everything, classes = digits.read("digits", None)
    images = everything["all"]
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(0)).split([1000, 100, 697])
    dataset = Dataset(*[images.take(some) for some in rows], classes, torch.tensor([4.9]), torch.tensor([6.0]))
    recipe = Recipe(epochs=10, batch_size=64, lr=0.02, weight_decay=0.2, warmup_epochs=2, label_smoothing=0.1)
    spec = {
        "mode": "controlled", "architecture": "mobilenetv2", "probe": "none", "budget": 10_000,
        "counting": "total", "depth": 2, "divisor": 1, "minimum_width": 4,
    }  # fmt: skip

    def accuracy(seed):
        torch.manual_seed(seed)
        net = network_for(spec, classes=10, in_channels=1, size=8)
        training = Training(net, dataset, recipe, seed=seed, device=torch.device("cpu"))
        while not training.finished:
            training.run_epoch()
        return training.evaluate("test")["accuracy"]

    ours = np.array([accuracy(seed) for seed in range(10)])
    monkeypatch.setattr(compiled, "loaded", lambda: None)
    theirs = np.array([accuracy(seed) for seed in range(10)])
    interval = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    print(
        f"compiled {ours.mean():.4f}, torch {theirs.mean():.4f}, difference {interval.low:.4f} to {interval.high:.4f}"
    )
    assert min(ours.mean(), theirs.mean()) > 0.9
    assert interval.low <= 0 <= interval.high
    assert interval.high - interval.low < 0.03


@needs_build
def test_a_switch_turns_the_compiled_layers_off(monkeypatch):
    code = "from lowparam.models.layers import compiled; print(compiled.loaded())"
    monkeypatch.setenv("LOWPARAM_COMPILED", "0")
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "None\n"


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LOWPARAM_COMPILED", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(compiled, "loaded", cache(compiled.loaded.__wrapped__))
    return tmp_path


@pytest.mark.parametrize("compiler,why", [(None, r"no C\+\+ compiler is installed"), ("false", "false cannot compile")])
def test_where_it_cannot_be_compiled_one_line_tells_it_once(empty_cache, monkeypatch, capsys, compiler, why):
    monkeypatch.setenv("PATH", str(empty_cache)) if compiler is None else monkeypatch.setenv("CXX", compiler)
    with pytest.raises(LowparamError, match=why):
        compiled.build()
    capsys.readouterr()
    assert compiled.loaded() is None
    told = capsys.readouterr().err.splitlines()
    assert re.match(f"{why}.*; networks train without compiled layers", told[-1])
    assert not list(empty_cache.rglob("*.so"))
    compiled.loaded.cache_clear()
    net = nn.BatchNorm2d(3)
    accelerate(net)
    assert net(torch.zeros(2, 3, 4, 4)).isfinite().all()
    assert capsys.readouterr().err == ""


def test_after_a_failure_the_command_tries_again(empty_cache, monkeypatch, capsys):
    monkeypatch.setenv("CXX", "false")
    assert not compiled.build_once()
    monkeypatch.setattr(compiled, "build", lambda: compiled.library().touch())
    assert not compiled.build_once()
    assert str(compiled.library()) in CliRunner().invoke(app, ["build"]).output.replace("\n", "")


def test_a_cache_that_cannot_be_written_is_told_and_training_goes_without(empty_cache, monkeypatch, capsys):
    (empty_cache / "lowparam").write_text("a file where the folder would be")
    assert compiled.loaded() is None
    assert "cannot write" in capsys.readouterr().err
