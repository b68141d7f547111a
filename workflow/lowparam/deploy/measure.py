"""Measure what a device needs for the trained runs of a scale, from files to files."""

from pathlib import Path
from typing import Any

from lowparam import data
from lowparam.deploy.bench import bench, memory
from lowparam.deploy.export import CALIBRATION, MOST_IMAGES
from lowparam.deploy.images import inputs_of
from lowparam.deploy.packages import need
from lowparam.errors import LowparamError
from lowparam.files import read_json, write_json
from lowparam.models.build import load_weights, network_for
from lowparam.params import Params, Run, Scale, run_spec

__all__ = ["REPEATS", "measure_scale"]

REPEATS = 200
"""Images that are timed, one at a time."""


def measure_scale(
    params: Params, scale: Scale, *, data_folder: Path | str, results: Path | None = None, out: Path | None = None
) -> None:
    """Measure all seeds of a scale and write each one's ``seed<k>.json``.

    A file has what `lowparam.deploy.bench.bench` returns. ``runtimes`` is empty, with the reason under
    ``not_exported``, for a run that diverged and for a network that has no ONNX form.

    Parameters
    ----------
    params : Params
        The experiments.
    scale : Scale
        Whose runs are trained already.
    data_folder : Path
        Folder of the prepared data.
    results, out : Path, optional
        Folder of the scale's runs, and folder to write to.

    Raises
    ------
    LowparamError
        If data or weights are missing, damaged, or of another network, or a package is missing.
    """
    need("onnx", "onnxscript", "onnxruntime")
    results, out = results or scale.folder, out or scale.deployment
    dataset = data.load(data_folder)
    shape = {"classes": len(dataset.classes), "in_channels": dataset.in_channels, "size": dataset.size}
    test = inputs_of(dataset, "test", MOST_IMAGES)
    calibration = inputs_of(dataset, "validation", CALIBRATION)
    for seed in params.experiment(scale.experiment).seeds:
        net = network_for(run_spec(params, Run(scale, seed)), **shape).eval()
        load_weights(net, results / f"seed{seed}" / "model.safetensors")
        found: dict[str, Any]
        if read_json(results / f"seed{seed}" / "metrics.json")["status"] == "diverged":
            found = _unmeasured(net, shape, "the run diverged")
        else:
            try:
                found = bench(net, test=test, calibration=calibration, name=scale.name, repeats=REPEATS)
            except LowparamError as error:
                found = _unmeasured(net, shape, str(error))
                print(error, flush=True)
        write_json(out / f"seed{seed}.json", found)
        print(f"{scale.name} seed {seed} is measured in {', '.join(found['runtimes']) or 'no runtime'}", flush=True)


def _unmeasured(net: Any, shape: dict[str, int], why: str) -> dict[str, Any]:
    counted = memory(net, shape["in_channels"], shape["size"])
    return {**counted, "runtimes": {}, "not_exported": why}
