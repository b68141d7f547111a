"""Measure what a device needs for a network: time, memory of weights, memory of activations, multiply-accumulates."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lowparam.deploy.arena import arena_bytes, buffers
from lowparam.deploy.export import FORMATS, export
from lowparam.deploy.images import Inputs
from lowparam.deploy.runtime import logits_of
from lowparam.models.cost import FP32, INT8, cost
from lowparam.threads import one_thread

__all__ = ["PAUSE", "ROUNDS", "RUNTIMES", "WARM_UP", "bench", "latency", "memory"]

RUNTIMES = {"torch": "torch", "onnx": "onnxruntime", "onnx-int8": "onnxruntime, 8 bits"}
"""What times are measured with, and how tables call it."""

ROUNDS = 30
"""How often each runtime has its turn."""
PAUSE = 0.2
"""Seconds between rounds: a slow moment of the machine is often longer than a turn, and should spoil few of them."""
WARM_UP = 10
"""Calls of a turn before times count."""


@one_thread()
def latency(calls: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, dict[str, float]]:
    """Time calls over and over in one thread, in turns, so that a slow moment of the machine meets all alike.

    Parameters
    ----------
    calls : mapping of str to callable
        What to time, by name.
    repeats : int
        Timed calls of each, spread over `ROUNDS` turns; at least one a turn.

    Returns
    -------
    dict
        For each name ``median_ms``, milliseconds of one call, the median of the turn in which it is lowest, because
        other work on the machine only adds time; and ``p95_ms``, the 95th percentile of all calls.
    """
    times: dict[str, list[list[float]]] = {name: [] for name in calls}
    for turn in range(ROUNDS):
        if turn:
            time.sleep(PAUSE)
        for name, call in calls.items():
            for _ in range(WARM_UP):
                call()
            times[name].append([_milliseconds(call) for _ in range(max(1, repeats // ROUNDS))])
    return {
        name: {"median_ms": float(np.median(turns, axis=1).min()), "p95_ms": float(np.percentile(turns, 95))}
        for name, turns in times.items()
    }


def _milliseconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1e6


def memory(model: nn.Module, in_channels: int, size: int) -> dict[str, int]:
    """Return what a network needs of a device, computed from its shapes alone.

    Returns
    -------
    dict
        ``parameters``, ``macs``, ``weight_bytes`` (flash) and ``peak_activation_bytes`` (RAM) as in
        `lowparam.models.cost.Cost`, and ``arena_bytes``, RAM as TFLite-micro plans it; memory also for one byte a
        value, with ``_int8`` at the end.
    """
    counted: dict[str, Any] = asdict(cost(model, in_channels, size))
    counted["parameters"] = counted["parameters"]["total"]
    planned = buffers(model, in_channels, size)
    return {
        **counted,
        "arena_bytes": arena_bytes(planned, FP32),
        "arena_bytes_int8": arena_bytes(planned, INT8),
    }


@torch.inference_mode()
def bench(model: nn.Module, *, test: Inputs, calibration: Inputs, name: str, repeats: int = 300) -> dict[str, Any]:
    """Export a network with 32 and 8 bits, time one image at a time in each runtime, and count its memory.

    Returns
    -------
    dict
        What `memory` returns, and by runtime of `RUNTIMES` under ``runtimes``: ``median_ms``, ``p95_ms``, ``accuracy``,
        and ``bytes`` of the file.

    Raises
    ------
    LowparamError
        As `lowparam.deploy.export.export`.
    """
    image = next(iter(test))[0][:1].clone()
    runtimes: dict[str, dict[str, Any]] = {}
    calls: dict[str, Callable[[], Any]] = {"torch": partial(model.eval(), image)}
    with tempfile.TemporaryDirectory() as folder:
        for to in ("onnx", "onnx-int8"):
            path = Path(folder) / f"network{FORMATS[to]}"
            checked = export(model, path, to, test=test, calibration=calibration, about={}, name=name)
            runtimes["torch"] = {"accuracy": checked["accuracy_torch"]}
            runtimes[to] = {key: checked[key] for key in ("accuracy", "bytes")}
            calls[to] = partial(logits_of(path), image)
        times = latency(calls, repeats)
    return {
        **memory(model, image.shape[1], image.shape[2]),
        "runtimes": {key: runtimes[key] | times[key] for key in RUNTIMES},
    }
