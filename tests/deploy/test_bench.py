"""What a device needs: memory by two definitions, checked by hand, and times that make sense."""

import json
import time

import pytest
from torch import nn

from lowparam.cli import app
from lowparam.deploy.arena import Buffer, arena_bytes, buffers, places
from lowparam.deploy.bench import ROUNDS, WARM_UP, latency, memory
from lowparam.models.cost import peak_activation_elements
from lowparam.models.skeletons import controlled


class Small(nn.Module):
    """Two convolutions with a norm and an activation, a shortcut, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.act = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        self.second, self.classifier = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 10)

    def forward(self, x):
        y = self.act(self.norm(self.first(x)))
        return self.classifier((y + self.second(y)).mean((2, 3)))


def test_memory_of_a_small_network_is_that_counted_by_hand():
    # Of 8 x 8 positions: the image 64, the first map and, as the shortcut needs it, the second one 256 each.
    found = memory(Small(), 1, 8)
    assert found["peak_activation_bytes_int8"] == 256 + 256
    assert found["peak_activation_bytes"] == 4 * (256 + 256)
    assert found["arena_bytes_int8"] == 256 + 256
    assert found["arena_bytes"] == 4 * (256 + 256)
    weights = 4 * 9 + 4 + 2 * 4 + 4 * 4 * 9 + 4 + 4 * 10 + 10
    assert (found["weight_bytes"], found["weight_bytes_int8"]) == (4 * weights, weights)
    assert found["macs"] == 64 * 4 * 9 + 64 * 4 * 4 * 9 + 40


def test_buffers_of_a_small_network_are_those_listed_by_hand():
    found = buffers(Small(), 1, 8)
    # The image, the first map with its norm and activation, the second map, which the sum writes over one of the two,
    # the mean, the logits; the first map lives until the sum.
    assert [buffer.values for buffer in found] == [64, 256, 256, 4, 10]
    image, first, second, mean, logits = found
    assert image.last == first.first and second.first > first.first and mean.last == logits.first
    assert first.last >= second.first


def test_buffers_are_placed_as_tflite_micro_places_them():
    # The case TestGreedyMedium of tensorflow/lite/micro/memory_planner/greedy_memory_planner_test.cc.
    given = [Buffer(10, 0, 1), Buffer(20, 1, 2), Buffer(30, 2, 3), Buffer(40, 3, 4), Buffer(50, 0, 1)]
    assert places(given, 1, alignment=1) == [50, 70, 40, 0, 0]


def test_an_arena_has_gaps_that_a_sum_of_live_tensors_does_not_know():
    given = [
        Buffer(16 * size, first, last) for size, first, last in ((1, 0, 1), (2, 1, 2), (3, 2, 3), (4, 3, 4), (5, 0, 1))
    ]
    live = max(sum(b.values for b in given if b.first <= step <= b.last) for step in range(5))
    assert (live, arena_bytes(given, 1)) == (16 * 8, 16 * 9)


def test_a_buffer_begins_at_a_multiple_of_sixteen_bytes():
    assert arena_bytes([Buffer(17, 0, 1), Buffer(3, 0, 1)], 1) == 48


@pytest.mark.parametrize("name", ["mobilenetv2", "shuffleunit", "inline", "mobilenetv2+dcls"])
def test_the_live_buffers_add_up_to_the_peak_of_activations(name):
    net = controlled.build(name, 8.0, classes=10, in_channels=1, size=16)
    found = buffers(net, 1, 16)
    steps = range(max(buffer.last for buffer in found) + 1)
    live = max(sum(b.values for b in found if b.first <= step <= b.last) for step in steps)
    assert live == peak_activation_elements(net, 1, 16)
    assert arena_bytes(found, 1) >= live


def test_the_fastest_turn_has_the_median_and_all_turns_the_percentile(monkeypatch):
    clock = [0]
    monkeypatch.setattr(time, "perf_counter_ns", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    turns = [0]

    def call():  # 2 ms in the fourth turn, 5 ms in the others
        turns[0] += 1
        clock[0] += 2_000_000 if turns[0] // (WARM_UP + 4) == 3 else 5_000_000

    assert latency({"network": call}, repeats=4 * ROUNDS) == {"network": {"median_ms": 2.0, "p95_ms": 5.0}}


def test_bench_measures_a_run_in_every_runtime(trained, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    folder, run = trained
    monkeypatch.chdir(folder)
    app(["bench", str(run), "--repeats", "20", "--out", str(tmp_path / "bench.json")], standalone_mode=False)
    found = json.loads((tmp_path / "bench.json").read_text())
    assert set(found["runtimes"]) == {"torch", "onnx", "onnx-int8"}
    for times in found["runtimes"].values():
        assert 0 < times["median_ms"] <= times["p95_ms"]
    assert found["runtimes"]["torch"]["accuracy"] == pytest.approx(found["runtimes"]["onnx"]["accuracy"], abs=0.006)
    printed = capsys.readouterr().out
    assert "onnxruntime, 8 bits" in printed and "multiply-accumulates an image" in printed
