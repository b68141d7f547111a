"""Images that stay on disk go through the same workflow as those in memory."""

import pandas as pd
import pytest

from pictures import draw_folder
from workspace import Workspace, small_params

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    workspace = Workspace.of_this_repository(tmp_path_factory.mktemp("streamed") / "w")
    draw_folder(workspace.folder / "photos", 40)
    params = small_params()
    params["data"]["shapes"] = {
        "source": "image_folder",
        "path": "photos",
        "size": 32,
        "stream": True,
        "split": {"train": 0.6, "validation": 0.15, "test": 0.25},
    }
    params["recipes"]["digits"] |= {"batch_size": 16, "augment": {"flip": True, "crop_area": 0.5}}
    shapes = {"data": "shapes", "architectures": ["mobilenetv1"], "probes": ["none"]}
    params["experiments"]["shapes"] = params["experiments"]["digits"] | shapes
    workspace.write(params)
    return workspace


def test_streamed_images_become_tables(workspace):
    workspace.snakemake("results/shapes/tables/accuracy.tex")
    folder = workspace.folder / "results/shapes"
    runs = pd.read_csv(folder / "runs.csv")
    assert sorted(runs["seed"]) == [0, 1] and (runs["status"] != "diverged").all()
    assert runs["test_accuracy"].between(0, 1).all()
    assert (folder / "tables/accuracy.tex").exists()
    assert not (workspace.folder / "results/data/shapes/images.safetensors").exists()
    assert workspace.jobs("results/shapes/tables/accuracy.tex") == {}


def test_only_streamed_images_depend_on_the_code_that_streams_them(workspace):
    code = workspace.folder / "workflow/lowparam/training/distributed.py"
    code.write_text(code.read_text() + "# changed\n")
    assert workspace.jobs("results/shapes/runs.csv")["train_shapes"] == 1
    workspace.snakemake("results/digits/runs/mobilenetv1-none-10k/seed0/metrics.json")
    code.write_text(code.read_text() + "# and again\n")
    assert workspace.jobs("results/digits/runs/mobilenetv1-none-10k/seed0/metrics.json") == {}
