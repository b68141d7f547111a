"""Names that other programs read differently go through the complete workflow: networks of timm, and odd classes."""

import pandas as pd
import pytest

from pictures import SHAPES, draw_folder
from workspace import Workspace, small_params

pytestmark = pytest.mark.slow

NETWORKS = ("timm:test_resnet.r160_in1k", "timm:test_efficientnet")
CLASSES = ("Ba$$in", "NA", "50 % _x_")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Workspace:
    """Two networks of timm, one with a point in its name, on images whose classes have odd names."""
    workspace = Workspace.of_this_repository(tmp_path_factory.mktemp("odd") / "w")
    draw_folder(workspace.folder / "photos", 30)
    for shape, name in zip(SHAPES, CLASSES, strict=True):
        (workspace.folder / "photos" / shape).rename(workspace.folder / "photos" / name)
    params = small_params()
    split = {"train": 0.6, "validation": 0.2, "test": 0.2}
    params["data"]["shapes"] = {"source": "image_folder", "path": "photos", "size": 32, "split": split}
    params["recipes"]["digits"] |= {"epochs": 2, "batch_size": 16}
    params["experiments"] = {
        "nets": {
            "data": "shapes",
            "recipe": "digits",
            "mode": "published",
            "architectures": list(NETWORKS),
            "probes": ["none"],
            "budgets": [],
            "seeds": [0, 1],
        }
    }
    params["replicate"] = ["nets"]
    workspace.write(params)
    workspace.snakemake("nets")
    return workspace


def test_every_file_of_the_report_is_there(finished):
    folder = finished.folder / "results/nets"
    assert (folder / "report.html").exists()
    figures = {path.name for path in (folder / "figures").iterdir()}
    assert {
        f"{figure}_timm.{name.removeprefix('timm:')}.{suffix}"
        for figure in ("profile", "directions", "spectra", "cross_talk")
        for name in NETWORKS
        for suffix in ("pdf", "png")
    } <= figures
    assert finished.jobs("nets") == {}


def test_the_runs_have_the_names_of_timm(finished):
    runs = pd.read_csv(finished.folder / "results/nets/runs.csv")
    assert set(runs["architecture"]) == set(NETWORKS)
    assert (finished.folder / "results/nets/runs/timm.test_resnet.r160_in1k-none-published/seed1").is_dir()
