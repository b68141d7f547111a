"""What a device needs is measured in the workflow, for experiments that ask for it and for no others."""

import json

import pytest

from lowparam.engine import dvc_files, fingerprint
from lowparam.params import Params
from workspace import Workspace, small_params


def asking(deploy: bool = True) -> dict:
    params = small_params()
    grid = {"architectures": ["mobilenetv1"], "probes": ["none"], "seeds": [0]}
    params["experiments"]["digits"] |= grid | ({"deploy": True} if deploy else {})
    return params


@pytest.mark.slow
def test_runs_are_measured_once_and_training_does_not_depend_on_it(tmp_path):
    pytest.importorskip("onnxscript")
    workspace = Workspace.of_this_repository(tmp_path / "w")
    workspace.write(asking(deploy=False))
    workspace.snakemake("runs")
    workspace.write(asking())
    assert workspace.jobs("runs") == {}, "what is trained stays current"
    assert workspace.jobs("deployments") == {"deploy_0": 1, "deployments": 1}
    workspace.snakemake("deployments")
    file = workspace.folder / "results/digits/deployment/mobilenetv1-none-10k/seed0.json"
    found = json.loads(file.read_text())
    assert set(found["runtimes"]) == {"torch", "onnx", "onnx-int8"} and found["arena_bytes_int8"] > 0
    assert workspace.jobs("deployments") == {}
    assert "1/1" in workspace.run("lowparam", "status")


def test_only_an_experiment_that_asks_for_it_has_a_stage():
    with_it, without = (Params.model_validate(asking(deploy)) for deploy in (True, False))
    stages, plain = (dvc_files.stages(params, "digits") for params in (with_it, without))
    assert list(stages) == ["train", "profile", "deploy", "report"] and "deploy" not in plain
    assert stages["deploy"]["cmd"].endswith("&& lowparam record deploy digits")
    assert "results/digits/deployment" in stages["report"]["deps"]
    assert stages["train"] == plain["train"] and stages["profile"] == plain["profile"]
    found, before = fingerprint.fingerprint(with_it), fingerprint.fingerprint(without)
    assert set(found["deploy"]) == {"digits"} and not before["deploy"]
    assert all(found[phase] == before[phase] for phase in ("data", "train", "profile"))
