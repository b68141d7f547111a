"""Whatever measures gives the same bytes with any number of threads."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import lowparam
from lowparam import data
from lowparam.interference.profile_scale import profile_scale
from lowparam.interference.profile_timm import profile_timm
from lowparam.models import network_for
from lowparam.params import Params, Profile, run_spec
from lowparam.studies.star.bilinear import write_bilinear
from lowparam.training.baseline import fit_baseline

SIZE = 24
GRID = {"data": "noise", "recipe": "short", "architectures": ["demonet_star_noact"], "probes": ["none"], "seeds": [0]}


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory, noise) -> Path:
    """Prepared noise, and random weights as those of a trained run."""
    folder = tmp_path_factory.mktemp("threads")
    made = noise(160, size=SIZE, channels=3)
    splits = {name: getattr(made, name) for name in ("train", "validation", "test")}
    data.save(folder / "data", splits, made.classes, name="noise")
    torch.manual_seed(1)
    net = network_for(run_spec(settings(), settings().runs("small")[0]), classes=4, in_channels=3, size=SIZE)
    weights = folder / settings().runs("small")[0].folder / "model.safetensors"
    weights.parent.mkdir(parents=True)
    save_file(net.state_dict(), weights)
    return folder


def settings() -> Params:
    return Params.model_validate(
        {
            "data": {"noise": {"source": "digits"}},
            "recipes": {"short": {"epochs": 1, "batch_size": 8, "lr": 0.01}},
            "replicate": ["small"],
            "experiments": {"small": GRID | {"budgets": [10_000], "profile": {"images": 60}}},
        }
    )


def of_scale(out: Path) -> None:
    profile_scale(settings(), settings().scales("small")[0], data_folder="data", out=out, device="cpu")


def of_timm(out: Path) -> None:
    profile_timm("timm:mobilenetv3_small_050", "data", out, settings=Profile(images=60), device="cpu")


def of_any_network(out: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(64, 64, 1), torch.nn.ReLU()
    )
    net = torch.nn.Sequential(net, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 4))
    images = data.load("data").test
    table = lowparam.profile(net, images.pixels[:60], images.labels[:60])
    (out / "profile.csv").write_text(table.to_csv())


def of_eigenvectors(out: Path) -> None:
    write_bilinear(settings(), "small", data_folder=Path("data"), folder=out)


def of_pixels(out: Path) -> None:
    fit_baseline(Path("data"), out / "baseline.json")


@pytest.mark.parametrize(
    "measure",
    [of_scale, of_any_network, of_eigenvectors, of_pixels, pytest.param(of_timm, marks=pytest.mark.slow)],
    ids=lambda measure: measure.__name__,
)
def test_measures_give_the_same_bytes_with_one_thread_and_with_two(place, tmp_path, monkeypatch, measure):
    monkeypatch.chdir(place)
    found = []
    before = torch.get_num_threads()
    for threads in (1, 2):
        out = tmp_path / str(threads)
        out.mkdir()
        torch.set_num_threads(threads)
        try:
            measure(out)
            assert torch.get_num_threads() == threads, "it is the caller's number"
        finally:
            torch.set_num_threads(before)
        found.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert found[0] == found[1] and found[0]
