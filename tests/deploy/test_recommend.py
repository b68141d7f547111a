"""What is recommended is what a person reads off the recorded results, for the memory of the device."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lowparam.cli import app
from lowparam.deploy import recommend
from lowparam.deploy.recommend import Shape
from lowparam.errors import LowparamError
from lowparam.params import load

PARAMS = """
data:
  digits: {source: digits, split: {train: 0.6, validation: 0.15, test: 0.25}}
  fashion_mnist: {source: fashion_mnist, split: {train: 0.9, validation: 0.1}}
recipes: {digits: {epochs: 1, batch_size: 64, lr: 0.004}}
replicate: [digits]
experiments:
  digits:
    {data: digits, recipe: digits, probes: [none], budgets: [10k, 25k], seeds: [0, 1],
     architectures: [mobilenetv1, mobilenetv2, convnext]}
  clothes:
    {data: fashion_mnist, recipe: digits, probes: [none], budgets: [10k], seeds: [0],
     architectures: [mobilenetv1, mobilenetv2]}
"""
ACCURACY = {"mobilenetv1": 0.97, "mobilenetv2": 0.95, "convnext": 0.90}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with recorded results, in which V1 leads and larger networks are better, and images of three classes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    params = load()
    for name in params.experiments:
        rows = [
            {
                "architecture": run.scale.architecture,
                "probe": "none",
                "budget": f"{run.scale.budget // 1000}k",
                "seed": run.seed,
                "status": "finished",
                "test_accuracy": ACCURACY[run.scale.architecture] + run.scale.budget / 1e7,
            }
            for run in params.runs(name)
        ]
        (tmp_path / "results" / name).mkdir(parents=True)
        pd.DataFrame(rows).to_csv(tmp_path / "results" / name / "runs.csv", index=False)
    rng = np.random.default_rng(0)
    for kind in ("daisy", "rose", "tulip"):
        (tmp_path / "flowers" / kind).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "flowers" / kind / f"{number}.png")
    return params


def test_the_best_that_fits_comes_first_and_no_network_is_beaten(here):
    found = recommend.best(here, "digits", Shape(10, 1, 8), flash=100_000, ram=1_000_000)
    assert found.iloc[0][["architecture", "budget"]].tolist() == ["mobilenetv1", "25k"]
    assert found["test_accuracy"].is_monotonic_decreasing
    for _, one in found.iterrows():
        better = found[found["test_accuracy"] > one["test_accuracy"]]
        assert ((better["flash"] > one["flash"]) | (better["ram"] > one["ram"])).all()
    small = recommend.best(here, "digits", Shape(10, 1, 8), flash=12_000, ram=1_000_000)
    assert set(small["budget"]) == {"10k"} and small.iloc[0]["architecture"] == "mobilenetv1"


def test_memory_is_that_of_the_network_for_the_given_images(here):
    few, many = (
        recommend.best(here, "digits", Shape(10, 1, size), flash=10**6, ram=10**9).iloc[0]["ram"] for size in (8, 16)
    )
    assert 3 < many / few < 5
    eight, whole = (
        recommend.best(here, "digits", Shape(10, 1, 8), flash=10**6, ram=10**9, bits=bits).iloc[0] for bits in (8, 32)
    )
    assert whole["flash"] == 4 * eight["flash"]


def test_an_empty_set_is_refused_in_one_line(here):
    with pytest.raises(
        LowparamError, match=r"no network of digits fits 1,000 bytes of flash .* the least are"
    ) as error:
        recommend.best(here, "digits", Shape(10, 1, 8), flash=1000, ram=10**6)
    assert "\n" not in str(error.value)


def test_a_network_with_an_untrained_run_is_not_recommended(here):
    table = pd.read_csv("results/digits/runs.csv")
    table.loc[(table["architecture"] == "mobilenetv1") & (table["seed"] == 0), "status"] = "untrained"
    table.to_csv("results/digits/runs.csv", index=False)
    found = recommend.best(here, "digits", Shape(10, 1, 8), flash=10**6, ram=10**9)
    assert "mobilenetv1" not in set(found["architecture"])


@pytest.mark.parametrize(("size", "name"), [(8, "digits"), (28, "clothes"), (32, "clothes")])
def test_results_on_the_most_similar_images_count(here, size, name):
    assert recommend.nearest(recommend.recorded(here), 10, 1, size) == name


def test_images_that_are_unlike_are_told_apart():
    assert recommend.differences(Shape(10, 1, 30), Shape(10, 1, 28)) == []
    assert recommend.differences(Shape(100, 3, 64), Shape(10, 1, 28)) == [
        "10 classes and not 100",
        "28 pixels a side and not 64",
        "grey images and not colour",
    ]


@pytest.mark.parametrize(("text", "size"), [("100kB", 100_000), ("64 KiB", 65_536), ("0.5MB", 500_000), ("2048", 2048)])
def test_memory_is_read_in_the_usual_units(text, size):
    assert recommend.parse_bytes("--ram", text) == size


@pytest.mark.parametrize("text", ["0", "many", "-3kB", "10 GB of it"])
def test_what_is_no_memory_is_one_line(text):
    with pytest.raises(LowparamError, match=r"--ram: .* is no amount of memory; write it such as 100kB"):
        recommend.parse_bytes("--ram", text)


def test_the_command_tells_how_to_train_on_the_images(here, capsys):
    given = ["recommend", "--data", "flowers", "--flash", "100kB", "--ram", "64kB", "--size", "28"]
    app(given, standalone_mode=False)
    printed = capsys.readouterr().out
    assert "mobilenetv1" in printed and "lowparam run mine" in printed
    assert "other images than yours: 10 classes and not 3, grey images and not colour" in printed
    text = Path("params.yaml").read_text()
    data, experiment = (line for line in printed.splitlines() if line.startswith("  mine: "))
    text = text.replace("recipes:", f"{data}\nrecipes:") + experiment + "\n"
    Path("params.yaml").write_text(text)
    assert load().experiments["mine"].budgets


def test_no_folder_and_no_results_are_one_line(here, capsys):
    given = ["recommend", "--flash", "100kB", "--ram", "64kB", "--data"]
    assert app([*given, "nowhere"], standalone_mode=False) == 1
    assert "nowhere" in capsys.readouterr().err
    for file in Path("results").rglob("runs.csv"):
        file.unlink()
    assert app([*given, "flowers"], standalone_mode=False) == 1
    assert "no recorded results to choose from" in capsys.readouterr().err
