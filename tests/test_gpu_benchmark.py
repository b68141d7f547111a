"""`benchmarks/gpu.sh` where there is no GPU, and nothing but torch."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lowparam import params
from lowparam.params import Run, run_spec

ROOT = Path(__file__).parents[1]
NEEDED = (
    "torch torchgen functorch typing_extensions.py sympy mpmath networkx jinja2 markupsafe fsspec filelock setuptools"
)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A folder with torch and what it needs, and nothing else."""
    folder, installed = tmp_path_factory.mktemp("bare"), Path(torch.__file__).parents[1]
    for name in NEEDED.split():
        if (installed / name).exists():
            (folder / name).symlink_to(installed / name)
    return folder


@pytest.fixture
def run(bare, tmp_path):
    def run(*options):
        environment = {**os.environ, "PYTHONPATH": str(bare), "PYTHON": sys.executable, "PYTHON_OPTIONS": "-S"}
        environment["CUDA_VISIBLE_DEVICES"] = ""
        command = [ROOT / "benchmarks/gpu.sh", "--out", tmp_path / "gpu.json", *options]
        done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True)
        return done, json.loads((tmp_path / "gpu.json").read_text())

    return run


def test_torch_alone_measures_our_loop_against_the_textbook(run):
    done, found = run("--only", "speed", "--networks", "mobilenetv1")
    assert done.returncode == 0, done.stderr
    assert {"numpy", "pydantic", "ruamel"} <= {*found["not installed"].split(", ")}
    assert found["device"].startswith("no GPU") and found["torch"] == torch.__version__
    assert [row["pixels"] for row in found["rows"]] == [8, 32, 224]
    for row in found["rows"]:
        assert row["ours"] > 0 and row["textbook"] > 0 and row["ours, CUDA graph"] == "needs a GPU"
        assert f"| {row['ours']}" in done.stdout


@pytest.mark.slow
def test_torch_alone_runs_every_check_and_the_grid(run):
    done, found = run("--only", "checks", "processes")
    assert done.returncode == 0, done.stdout
    results = {row["check"]: row["result"] for row in found["rows"] if row["part"] == "checks"}
    assert results.pop("a profile is that of the cpu") == "skipped: PIL is not installed"
    assert len(results) == 4 and {*results.values()} == {"passed"}
    hourly = {row["processes"]: row["runs an hour"] for row in found["rows"] if row["part"] == "processes"}
    assert [*hourly] == [1, 2] and min(hourly.values()) > 0


def test_what_has_no_time_left_is_named(run):
    done, found = run("--seconds", "0.2")
    assert done.returncode == 0
    assert [row["part"] for row in found["rows"]] == ["checks", "speed", "processes"]
    assert all(row["rest"].startswith("left out") for row in found["rows"])


def test_the_grid_is_that_of_params_yaml():
    spec = importlib.util.spec_from_file_location("gpu_settings", ROOT / "benchmarks/gpu/settings.py")
    settings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(settings)
    wanted = params.load(ROOT / "params.yaml")
    keys = [*settings.grid()[0]]
    scales = [run_spec(wanted, Run(scale, 0)) for scale in wanted.scales("digits")]
    assert settings.grid() == [{key: scale[key] for key in keys} for scale in scales]
    assert len(settings.grid()) * settings.seeds() == len(wanted.runs("digits"))
    assert params.Recipe(**settings.recipe()) == wanted.recipes["digits"]
    assert settings.core() == wanted.experiment("digits").architectures
