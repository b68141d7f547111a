"""Networks learn which features are present, their scores are right, and no other training has changed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from lowparam import params as parameters
from lowparam import provenance, runs
from lowparam.data.prepare import prepare
from lowparam.training.baseline_known import fit_known_baseline
from lowparam.training.losses import binary_cross_entropy
from lowparam.training.presence_scores import aucs, explained, found_share
from lowparam.training.train_known import train_known
from lowparam.training.tune_known import tune_known

PARAMS = """
data:
  factors:
    source: factors
    size: 8
    factors: { features: [3, 6], presence: [0.3], places: fixed, images: [256, 64, 128], importance: 0.5 }
recipes: { quick: { epochs: 4, batch_size: 32, lr: 0.03, loss: binary_cross_entropy } }
experiments:
  quick:
    data: factors
    recipe: quick
    architectures: [mobilenetv1]
    probes: [none]
    budgets: [5k]
    seeds: [0]
    variants: { n3: { dose: { features: 3, presence: 0.3 } }, n6: { dose: { features: 6, presence: 0.3 } } }
    tune: { lr: [0.003, 0.03, 0.3], budget: 5k, seeds: [100], epochs: 1 }
replicate: [quick]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with params.yaml and prepared images of known features."""
    folder = tmp_path_factory.mktemp("known")
    (folder / "params.yaml").write_text(PARAMS)
    prepare("factors", parameters.load(folder / "params.yaml").data["factors"], folder / "results/data/factors")
    return folder


def test_a_network_is_tuned_and_trained_to_find_features_the_same_way_twice(place: Path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    params = parameters.load()
    scale, folder = params.scales("quick")[0], Path("results/data/factors")
    tune_known(params, scale, data_folder=folder)
    choice = json.loads(Path("results/quick/tuning/mobilenetv1@n3-none.json").read_text())
    best = max(choice["trials"], key=lambda trial: trial["validation_accuracy"])
    assert choice["chosen"] == best["values"]
    assert 0.6 < best["validation_accuracy"] <= 1  # an area, where the share of three features would often be equal
    train_known(params, scale, data_folder=folder)
    seed = scale.folder / "seed0"
    metrics = json.loads((seed / "metrics.json").read_text())
    assert metrics["status"] == "finished"
    assert metrics["largest_class_share"] == 0.5
    assert metrics["test"]["auc"] > 0.9
    assert metrics["test"]["accuracy"] in (2 / 3, 1)
    assert runs.state(params, parameters.Run(scale, 0)) == "finished"
    before = (seed / "model.safetensors").read_bytes()
    train_known(params, scale, data_folder=folder)
    assert "all seeds are trained" in capsys.readouterr().out
    train_known(params, scale, data_folder=folder, again=True)
    assert (seed / "model.safetensors").read_bytes() == before


def test_a_dose_makes_another_run_and_trains_by_other_code_than_classes_do(place: Path):
    params = parameters.load(place / "params.yaml")
    three, six = (runs.job_identity(params, scale)[0] for scale in params.scales("quick"))
    assert three["spec"]["recipe"]["dose"] == {"features": 3, "presence": 0.3}
    assert three["spec"] != six["spec"]
    assert three["made_with"] == six["made_with"]
    for entry in ("train", "tune", "profile", "baseline"):
        assert not any(
            "known" in file or "presence" in file for file, _ in provenance.reached(provenance.ENTRIES[entry])
        )


def test_the_baseline_finds_every_feature_in_pixels(place: Path, tmp_path: Path):
    fit_known_baseline(place / "results/data/factors", tmp_path / "baseline.json")
    baseline = json.loads((tmp_path / "baseline.json").read_text())
    assert baseline["test"] == {"accuracy": 1.0, "images": 128}  # of one world


def test_areas_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    outputs, present = random.integers(0, 9, (200, 5)), random.random((200, 5)) < 0.3
    wanted = [roc_auc_score(present[:, each], outputs[:, each]) for each in range(5)]
    assert np.allclose(aucs(torch.from_numpy(outputs), torch.from_numpy(present)), wanted)


def test_areas_are_undefined_where_a_feature_or_an_output_says_nothing():
    present = torch.tensor([[True, True, False], [False, True, False], [True, True, False]])
    assert aucs(torch.rand(3, 3), present).isnan().tolist() == [False, True, True]
    outputs = torch.tensor([[1.0], [torch.nan], [0.0]])
    assert aucs(outputs, present[:, :1]).isnan().all()
    assert found_share(torch.tensor([0.99, 0.5, torch.nan, 0.5])) == 0.25


def test_linear_outputs_of_m_numbers_explain_at_most_m_features():
    random = torch.Generator().manual_seed(0)
    present = (torch.rand(20000, 24, generator=random) < 0.1).double()
    values = present - 0.1
    few = values @ torch.randn(24, 6, generator=random).double()
    outputs = few @ torch.linalg.lstsq(few, values).solution  # the best linear readout
    assert explained(outputs, present > 0).sum().item() == pytest.approx(6, abs=0.1)
    assert explained(values, present > 0).sum().item() == pytest.approx(24)
    assert explained(torch.randn(20000, 24, generator=random), present > 0).sum() < 0.05


def test_loss_weighs_features_by_importance():
    loss = binary_cross_entropy.make()
    logits, targets = torch.tensor([[2.0, -1.0, 5.0]]), torch.tensor([[1.0, 1.0, 0.0]])
    each = [-torch.sigmoid(torch.tensor(x)).log().item() for x in (2.0, -1.0, -5.0)]
    assert loss(logits, targets).item() == pytest.approx(np.mean(each))
    weighted = loss(logits, targets, importance=torch.tensor([3.0, 1.0, 0.0]))
    assert weighted.item() == pytest.approx((3 * each[0] + each[1]) / 4)
    assert loss(logits, torch.tensor([0])).item() == pytest.approx(
        (each[0] + np.log1p(np.exp(-1)) + np.log1p(np.exp(5))) / 3
    )
    smooth = binary_cross_entropy.make(label_smoothing=0.2)(logits[:, :1], targets[:, :1])
    assert smooth.item() == pytest.approx(0.9 * each[0] + 0.1 * np.log1p(np.exp(2)))


def test_features_that_do_not_occur_teach_nothing(place: Path):
    from lowparam.data.known import load_known
    from lowparam.params import Dose

    dataset = load_known(place / "results/data/factors", Dose(features=3, presence=0.3))
    loss = binary_cross_entropy.make()
    logits = torch.zeros(4, 6, requires_grad=True)
    loss(logits, dataset.presence("train")[:4].float(), importance=dataset.importance).backward()
    assert logits.grad is not None
    assert (logits.grad[:, 3:] == 0).all()
    assert (logits.grad[:, :3] != 0).all()
