"""What is valid is kept and recorded, however it was made; images and weights are never lost."""

import shutil

from pictures import draw_folder
from workspace import Workspace, small_params


def contents(workspace: Workspace, pattern: str) -> dict[str, bytes]:
    found = {str(path): path.read_bytes() for path in (workspace.folder / "results").glob(pattern)}
    assert found
    return found


def test_data_that_were_prepared_by_hand_are_recorded_without_the_images(tmp_path):
    """The order of docs/data.md: prepare, snakemake, make record."""
    workspace = Workspace.of_this_repository(tmp_path / "w")
    draw_folder(workspace.folder / "photos", 6)
    params = small_params()
    split = {"train": 0.5, "validation": 0.25, "test": 0.25}
    params["data"]["shapes"] = {"source": "image_folder", "path": "photos", "size": 16, "split": split}
    params["recipes"]["digits"] |= {"epochs": 1, "batch_size": 8, "warmup_epochs": 0}
    grid = {"architectures": ["mobilenetv1"], "seeds": [0], "probes": ["none"], "data": "shapes"}
    params["experiments"]["shapes"] = params["experiments"]["digits"] | grid
    workspace.write(params)
    workspace.run("lowparam", "prepare", "shapes")
    before = contents(workspace, "data/shapes/*")
    workspace.run("snakemake", "--cores", "2", "shapes")
    (workspace.folder / "photos").rename(workspace.folder / "moved")
    trained = contents(workspace, "shapes/**/*.safetensors")
    workspace.run("lowparam", "dvc-files", "shapes")
    workspace.run("dvc", "repro", "results/shapes/dvc.yaml")
    assert (workspace.folder / "results/data/shapes/record.json").exists()
    assert contents(workspace, "data/shapes/[im]*") == before
    assert contents(workspace, "shapes/**/*.safetensors") == trained, "nothing is trained or measured again"
    assert workspace.jobs("shapes") == {}


def test_runs_that_snakemake_does_not_know_are_kept_if_they_are_valid(workspace):
    for path in (workspace.folder / ".snakemake/metadata").iterdir():
        path.unlink()
    before = workspace.contents("runs/**/seed*/*")
    history = workspace.folder / "results/digits/runs/nodepth_a-none-10k/seed0/history.csv"
    history.write_text("epoch\n")
    jobs = workspace.jobs()
    assert (jobs["train"], "prepare" in jobs) == (1, False)
    shutil.rmtree(workspace.folder / "logs/digits/train")
    workspace.snakemake()
    assert workspace.contents("runs/**/seed*/*") == before
    logs = (workspace.folder / "logs/digits/train").iterdir()
    assert [(log.stem, workspace.trained(log.stem)) for log in logs] == [("nodepth_a-none-10k", {0})]
    workspace.run("lowparam", "record", "train", "digits")
