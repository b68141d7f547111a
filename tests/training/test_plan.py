import json
import shutil
import time

import pytest
import torch
import torch.nn.functional as F

from lowparam.errors import LowparamError
from lowparam.models.counts import Counts, count_layers
from lowparam.models.layers.fast import accelerate
from lowparam.models.skeletons.controlled import build
from lowparam.training.malloc import KEPT
from lowparam.training.plan import activation_bytes, plan, step_seconds, totals
from lowparam.training.step_time import STEPS, measure_step
from quick import make_params


def test_counts_are_those_of_the_layers():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1, bias=False), torch.nn.Identity(), torch.nn.ReLU())
    net.classifier = torch.nn.Flatten()
    counts = count_layers(net, 3, 4)
    assert (counts.layers, counts.values) == (3, 3 * 8 * 16)
    assert (counts.macs, counts.parameters) == (3 * 8 * 9 * 16, 3 * 8 * 9)


@pytest.fixture
def prepared(tmp_path, data_folder):
    shutil.copytree(data_folder, tmp_path / "digits")
    return tmp_path


def test_a_plan_has_a_row_a_scale_and_grows_with_what_is_asked(prepared):
    def table(**recipe):
        return plan(make_params(architectures=("mobilenetv1", "convnext"), **recipe), "quick", data=prepared)

    once, twice = table(), table(epochs=6)
    assert list(once["scale"]) == ["mobilenetv1-none-5k", "convnext-none-5k"]
    assert (once["runs"] == 2).all() and (once["parameters"].sub(5000).abs() <= 100).all()
    assert (twice["seconds"] > once["seconds"]).all() and (
        twice["images_per_second"] == once["images_per_second"]
    ).all()
    assert table(batch_size=64)["memory_mb"].sum() > once["memory_mb"].sum()
    summary = totals(once, cores=2)
    assert summary["runs"] == 4
    assert summary["core_hours"] / 2 <= summary["hours"] <= summary["core_hours"]


def test_memory_is_that_of_the_network_and_of_images_unless_they_stay_on_disk(prepared):
    def memory():
        return plan(make_params(), "quick", data=prepared)["memory_mb"].item()

    manifest = prepared / "digits/manifest.json"
    about = json.loads(manifest.read_text())
    small = memory()
    manifest.write_text(json.dumps(about | {"images_per_class": {"train": [2**20], "validation": [0], "test": [0]}}))
    assert memory() - small == pytest.approx(64, abs=0.1)  # 8 x 8 bytes an image
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"streaming": True}))
    assert memory() == pytest.approx(small, abs=0.1)


def test_memory_grows_with_the_batch_until_it_is_given_back():
    assert activation_bytes(KEPT - 1) > activation_bytes(KEPT)
    values = [KEPT * factor for factor in (1, 2, 4, 8)]
    assert [activation_bytes(v) for v in values] == sorted(activation_bytes(v) for v in values)


def test_a_step_costs_more_where_its_memory_is_given_back():
    """Otherwise batches of 64 photographs would be predicted to be as fast as those of 48."""
    values = Counts(layers=1, values=KEPT // 50, macs=1, parameters=1)
    kept, returned = (step_seconds(values, batch) / batch for batch in (48, 64))
    assert 1.3 < returned / kept < 1.8


def test_a_plan_needs_to_know_how_many_images_there_are(tmp_path):
    with pytest.raises(LowparamError, match="make it with: lowparam prepare digits"):
        plan(make_params(), "quick", data=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["mobilenetv1", "mobilenetv2", "nodepth_a"])
def test_a_step_takes_about_as_long_as_predicted(architecture):
    """Within a factor of 3 of CPU time, because machines differ; docs/performance.md has the errors on one."""
    net = build(architecture, 24.0, classes=10, in_channels=1, size=16)
    predicted = step_seconds(count_layers(net, 1, 16), 64)
    accelerate(net)
    images = torch.randn(64, 1, 16, 16).to(memory_format=torch.channels_last)
    times = []
    for _ in range(6):
        started = time.process_time()
        F.cross_entropy(net(images), torch.zeros(64).long()).backward()
        times.append(time.process_time() - started)
    assert predicted / 3 < min(times) < predicted * 3


def test_a_measured_plan_times_the_steps_of_the_training_loop(data_folder, monkeypatch):
    net, taken = build("mobilenetv1", 8.0, classes=10, in_channels=1, size=8), []
    net.register_forward_hook(lambda *_: taken.append(net.training))
    monkeypatch.setattr(time, "perf_counter", lambda: float(sum(taken)))  # a second a training step
    params = make_params(ema=None)
    recipe = params.recipe(params.scales("quick")[0])
    assert measure_step(net, data_folder, recipe, forward=0.5) == pytest.approx(STEPS / (STEPS + 0.5))
    assert taken[-STEPS - 1 :] == [True] * STEPS + [False]


def test_a_measured_plan_replaces_what_is_predicted(prepared, monkeypatch):
    monkeypatch.setattr("lowparam.training.plan.measure_step", lambda *_, **__: 0.5)
    params = make_params()
    batch = params.recipe(params.scales("quick")[0]).batch_size
    for speed in (1.0, 2.0):  # of the prediction; what is measured here needs no correction
        measured = plan(params, "quick", data=prepared, speed=speed, measure=True)
        assert measured["images_per_second"].item() == pytest.approx(batch / 0.5)
    manifest = prepared / "digits/manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"streaming": True}))
    streamed = plan(params, "quick", data=prepared, measure=True)
    assert streamed["images_per_second"].item() == plan(params, "quick", data=prepared)["images_per_second"].item()
