"""Measure what a device needs for a network: time, memory of weights, memory of activations, multiply-accumulates."""

import tempfile
import time
from collections.abc import Callable
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

__all__ = ["RUNTIMES", "WARM_UP", "bench", "latency", "memory"]

RUNTIMES = {"torch": "torch", "onnx": "onnxruntime", "onnx-int8": "onnxruntime, 8 bits"}
"""What times are measured with, and how tables call it."""

WARM_UP = 30
"""Calls before times count."""


@one_thread()
def latency(call: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Time a call over and over in one thread; return ``median_ms`` and ``p95_ms``, milliseconds of one call."""
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - start) / 1e6)
    return {"median_ms": float(np.median(times)), "p95_ms": float(np.percentile(times, 95))}


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
    with tempfile.TemporaryDirectory() as folder:
        for to in ("onnx", "onnx-int8"):
            path = Path(folder) / f"network{FORMATS[to]}"
            checked = export(model, path, to, test=test, calibration=calibration, about={}, name=name)
            runtimes["torch"] = {"accuracy": checked["accuracy_torch"]}
            times = latency(partial(logits_of(path), image), repeats)
            runtimes[to] = {key: checked[key] for key in ("accuracy", "bytes")} | times
        runtimes["torch"] |= latency(partial(model.eval(), image), repeats)
    return {**memory(model, image.shape[1], image.shape[2]), "runtimes": {key: runtimes[key] for key in RUNTIMES}}
