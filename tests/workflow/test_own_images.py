"""A folder of photographs becomes tables, as docs/data.md describes."""

from pathlib import Path

import pandas as pd
import pytest

from pictures import SHAPES, draw_folder
from workspace import Workspace, small_params

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """A clone with a folder of drawn shapes, one of them broken, and an experiment on it."""
    workspace = Workspace.of_this_repository(tmp_path_factory.mktemp("own") / "w")
    draw_folder(workspace.folder / "photos", 60)
    (workspace.folder / "photos/Dreiecke/kaputt.jpg").write_bytes(b"\xff\xd8\xff no more")
    params = small_params()
    split = {"train": 0.6, "validation": 0.15, "test": 0.25}
    params["data"]["shapes"] = {"source": "image_folder", "path": "photos", "size": 32, "split": split}
    params["recipes"]["digits"] |= {"epochs": 12, "batch_size": 16}
    params["experiments"]["shapes"] = params["experiments"]["digits"] | {"data": "shapes"}
    workspace.write(params)
    return workspace


def test_a_broken_file_stops_the_workflow_and_is_named(workspace):
    workspace.snakemake("results/data/shapes/manifest.json", fails=True)
    log = Path(workspace.folder, "logs/data/shapes.log").read_text(encoding="utf-8")
    assert "Dreiecke/kaputt.jpg: " in log
    assert log.splitlines()[-1].startswith("lowparam: data.shapes: 1 bad files, listed above")
    assert not (workspace.folder / "results/data/shapes/manifest.json").exists()


def test_photographs_become_tables(workspace):
    params = workspace.read()
    params["data"]["shapes"]["skip_bad"] = True
    workspace.write(params)
    workspace.snakemake("shapes")
    folder = workspace.folder / "results/shapes"
    runs = pd.read_csv(folder / "runs.csv")
    assert len(runs) == 8
    assert runs[runs["probe"] == "none"]["test_accuracy"].mean() > 0.6, "guessing gives 0.33"
    for name in ("accuracy", "interference", "solu_gap"):
        assert {path.suffix for path in (folder / "tables").glob(f"{name}.*")} == {".tex", ".md", ".csv"}
    assert workspace.jobs("shapes") == {}


def test_images_that_are_prepared_are_not_prepared_again_elsewhere(workspace):
    """Where the images lie is no part of the results: a clone that has the results needs no images."""
    (workspace.folder / "photos").rename(workspace.folder / "moved")
    assert workspace.jobs("shapes") == {}
    assert sorted(SHAPES) == sorted(path.name for path in (workspace.folder / "moved").iterdir())
