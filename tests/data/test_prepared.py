"""Data sets that are as params.yaml describes them are kept, whoever prepared them; others are refused and replaced."""

import json
import os
from pathlib import Path
from threading import Event

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from lowparam import data, params, prepared_data, provenance, runs, waiting
from lowparam.cli import app
from lowparam.errors import LowparamError
from lowparam.files import read_json
from lowparam.params import Run
from pictures import draw_folder

MANIFEST = Path("results/data/mine/manifest.json")
PIXELS = Path("results/data/mine/images.safetensors")
SOURCE = {
    "source": "image_folder",
    "path": "images",
    "size": 16,
    "split": {"train": 0.5, "validation": 0.25, "test": 0.25},
}
GRID = {
    "data": "mine",
    "recipe": "quick",
    "architectures": ["mobilenetv1", "demonet_star_noact"],
    "probes": ["none"],
    "budgets": [10000],
    "seeds": [0],
    "tune": {"lr": [0.01, 0.02], "budget": 10000, "seeds": [9], "epochs": 1},
}
SCALE = "mobilenetv1-none-10k"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    """A folder of images and an experiment on them, in the folder where commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(waiting, "LINE_AFTER", 3600.0)  # a busy machine says that it waits, which is no answer
    draw_folder(tmp_path / "images", 8)
    describe()
    return tmp_path


def describe(**options) -> None:
    """Write params.yaml with these settings of the data set; None takes one out."""
    source = {key: value for key, value in (SOURCE | options).items() if value is not None}
    recipe = {"epochs": 1, "batch_size": 8, "lr": 0.01, "warmup_epochs": 0}
    content = {"data": {"mine": source}, "recipes": {"quick": recipe}, "replicate": ["shapes"]}
    grid = {key: value for key, value in GRID.items() if key != "tune" or not source.get("stream")}
    Path("params.yaml").write_text(yaml.safe_dump({**content, "experiments": {"shapes": grid}}), encoding="utf-8")


def run(*command: str, code: int = 0) -> str:
    """Run a command and return all that it printed."""
    result = CliRunner().invoke(app, command)
    assert result.exit_code == code, result.output
    return result.output


def prepare() -> bool:
    """Prepare the data set; return whether that read the images."""
    return run("prepare", "mine") != "results/data/mine is up to date\n"


def difference() -> str | None:
    return prepared_data.find_difference(params.load(), "mine")


def times() -> list[int]:
    return [path.stat().st_mtime_ns for path in sorted(Path("results/data/mine").iterdir())]


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_prepared_is_kept_byte_for_byte_and_needs_no_images(place, stream):
    describe(stream=stream)
    assert prepare()
    before = times()
    assert not prepare() and times() == before
    (place / "images").rename(place / "elsewhere")
    assert not prepare() and times() == before
    describe(stream=stream, path="elsewhere")
    assert prepare() == stream, "training has to find images that stay on disk"
    assert not prepare()


@pytest.mark.parametrize("damage", ["pixels", "statistics", "settings", "code", "images", "licence"])
def test_what_is_not_as_described_is_prepared_again(place, monkeypatch, damage):
    prepare()
    right = PIXELS.read_bytes()
    if damage == "pixels":
        PIXELS.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    elif damage == "statistics":
        MANIFEST.write_text(json.dumps(read_json(MANIFEST) | {"mean": [0.0, 0.0, 0.0]}))
    elif damage == "settings":
        describe(size=24)
    elif damage == "code":
        monkeypatch.setattr(provenance, "digest", lambda *_: "of other code")
    elif damage == "images":
        draw_folder(place / "others", 8, seed=1)
        describe(path="others")
    else:
        describe(licence="CC0")
    assert prepare()
    assert (PIXELS.read_bytes() == right) == (damage in ("pixels", "statistics", "code", "licence"))
    assert not prepare()
    assert data.load("results/data/mine").size == (24 if damage == "settings" else 16)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 24}, r"data\.mine\.size was 16 and is 24 now"),
        ({"channels": 1}, r"data\.mine\.channels was 3 and is 1 now"),
        ({"train_per_class": 2}, r"data\.mine\.train_per_class was null and is 2 now"),
        ({"classes": 2}, r"data\.mine\.classes was null and is 2 now"),
        ({"stream": True}, r"data\.mine\.stream was false and is true now"),
        ({"split": SOURCE["split"] | {"seed": 7}}, r"data\.mine\.split was .+"),
    ],
)
def test_other_settings_are_named(options, said):
    prepare()
    assert difference() is None
    describe(**options)
    with pytest.raises(LowparamError, match=f"^results/data/mine was prepared with other settings: {said}; run: low"):
        prepared_data.folder_for(params.load(), "shapes")


@pytest.mark.parametrize("options", [{"licence": "CC0"}, {"stream": False, "channels": 3}, {"citation": "Me 2026"}])
def test_settings_that_change_no_image_are_no_difference(options):
    prepare()
    describe(**options)
    assert difference() is None


def test_settings_of_an_older_manifest_that_are_defaults_now_are_no_difference():
    prepare()
    about = read_json(MANIFEST)
    about["settings"] |= {"channels": 3, "skip_bad": False}
    MANIFEST.write_text(json.dumps(about))
    assert difference() is None


def test_other_files_under_the_same_name_are_noticed_and_a_move_is_none(place):
    assert difference() is None, "nothing is prepared"
    prepare()
    identity = prepared_data.rule_identity(params.load(), "mine")
    draw_folder(place / "others", 8, seed=1)
    describe(path="others")
    assert difference() == "results/data/mine was prepared from other files than those in data.mine.path"
    assert prepared_data.rule_identity(params.load(), "mine") != identity
    (place / "images").rename(place / "moved")
    for path in ("moved", "images"):  # elsewhere, and not here at all, as in a clone
        describe(path=path)
        assert difference() is None and prepared_data.rule_identity(params.load(), "mine") == identity
    assert str(place) not in MANIFEST.read_text()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("where", ["first file", "any file", "last byte"])
def test_another_image_of_the_same_name_and_size_is_noticed(place, monkeypatch, where, stream):
    """As a picture in a format without compression has, whatever it shows."""
    monkeypatch.setattr("lowparam.image_files.SAMPLE", 2)
    monkeypatch.setattr("lowparam.image_files.HEAD", 100)
    for path in (place / "images").rglob("*.jpg"):
        Image.open(path).convert("RGB").save(path.with_suffix(".bmp"))
        path.unlink()
    describe(stream=stream)
    prepare()
    files = sorted((place / "images").rglob("*.bmp"))
    changed = files[0 if where == "first file" else 5]
    content = bytearray(changed.read_bytes())
    content[-1 if where == "last byte" else 1000] ^= 1
    changed.write_bytes(content)
    assert difference() == "results/data/mine was prepared from other files than those in data.mine.path"
    assert prepare() and difference() is None


@pytest.mark.parametrize("very_large", [False, True])
def test_runs_on_streamed_images_are_stale_when_an_image_changes_at_equal_size(place, monkeypatch, very_large):
    """Of very large folders, the contents of some files count."""
    if very_large:
        monkeypatch.setattr("lowparam.image_files.MOST", 1000)
    for path in (place / "images").rglob("*.jpg"):
        Image.open(path).convert("RGB").save(path.with_suffix(".bmp"))
        path.unlink()
    describe(stream=True)
    prepare()
    first = Run(params.load().scales("shapes")[0], 0)
    run("train", "shapes", first.scale.name)
    assert runs.state(params.load(), first) != "stale"
    changed = min((place / "images").rglob("*.bmp"))
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    prepare()
    assert runs.state(params.load(), first) == "stale"
    run("train", "shapes", first.scale.name)
    assert runs.state(params.load(), first) != "stale"


def test_a_log_says_that_images_are_prepared(monkeypatch):
    """Tens of thousands take minutes, and the bar of a terminal is none in a log."""
    said = Event()
    monkeypatch.setattr(waiting, "LINE_AFTER", 0.0)
    monkeypatch.setattr(waiting._Wait, "told", False)
    show = waiting._Wait._show
    monkeypatch.setattr(waiting._Wait, "_show", lambda wait: (show(wait), said.set()))
    monkeypatch.setattr("lowparam.image_files.MOST", 0)  # reading them may take long, too, and be said
    monkeypatch.setattr("lowparam.data.prepare.prepare", lambda *_, **__: said.wait())
    assert "lowparam: preparing mine, 0 s so far" in run("prepare", "mine")


def test_images_that_were_not_touched_are_not_read_again(place, monkeypatch):
    prepare()
    monkeypatch.setattr("lowparam.image_files._READ", {})  # as in another process
    monkeypatch.setattr("lowparam.image_files._sha256", lambda path: pytest.fail(f"{path} was read"))
    assert difference() is None


def test_very_large_folders_are_not_read_as_a_whole(place, monkeypatch):
    monkeypatch.setattr("lowparam.image_files.MOST", 1000)
    monkeypatch.setattr("lowparam.image_files._sha256", lambda path: pytest.fail(f"{path} was read"))
    prepare()
    assert difference() is None


def test_a_path_that_does_not_exist_is_not_taken_for_the_one_before(place):
    prepare()
    describe(path="imagse")
    said = "data.mine.path: imagse does not exist, and results/data/mine was prepared from another folder"
    assert difference() == said
    assert run("train", "shapes", SCALE, code=1) == f"lowparam: {said}; run: lowparam prepare mine\n"
    assert "data.mine.path: imagse is not a folder" in run("prepare", "mine", code=1)


@pytest.mark.parametrize(
    "command",
    [
        ("train", "shapes", SCALE),
        ("tune", "shapes", "mobilenetv1-none"),
        ("profile", "shapes", SCALE),
        ("baseline", "shapes"),
        ("bilinear", "shapes"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_that_reads_prepared_data_refuses_other_ones(place, command):
    prepare()
    describe(size=24)
    said = "results/data/mine was prepared with other settings: data.mine.size was 16 and is 24 now"
    assert run(*command, code=1) == f"lowparam: {said}; run: lowparam prepare mine\n"
    assert said in run("check", "shapes")
    draw_folder(place / "others", 8, seed=1)
    describe(path="others")
    said = "results/data/mine was prepared from other files than those in data.mine.path"
    assert run(*command, code=1) == f"lowparam: {said}; run: lowparam prepare mine\n"
    assert said in run("check", "shapes")


@pytest.mark.parametrize("damage", ["manifest", "pixels", "no pixels"])
def test_no_message_about_damaged_data_tells_to_delete_anything(damage):
    prepare()
    if damage == "manifest":
        MANIFEST.write_text(json.dumps(read_json(MANIFEST) | {"std": [1.0, 1.0, 1.0]}))
    elif damage == "pixels":
        os.truncate(PIXELS, 100)
    else:
        PIXELS.unlink()
    with pytest.raises(LowparamError, match=r"; run: lowparam prepare mine$") as caught:
        data.load("results/data/mine")
    assert "delete" not in str(caught.value)
