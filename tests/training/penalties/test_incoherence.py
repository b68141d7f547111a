import copy
import math

import pytest
import torch

from lowparam.errors import LowparamError
from lowparam.models.skeletons.controlled import build
from lowparam.params import Recipe
from lowparam.training.loop import Training
from lowparam.training.penalties.incoherence import coherence, projections
from quick import RECIPE


def matrix(*columns):
    return torch.tensor(columns, dtype=torch.float64).T[..., None, None]


def test_columns_at_a_known_angle_have_its_squared_cosine():
    angle = math.radians(30)
    two = matrix([1.0, 0.0], [5 * math.cos(angle), 5 * math.sin(angle)])
    assert coherence([two]).item() == pytest.approx(math.cos(angle) ** 2)
    assert coherence([matrix([1.0, 0.0], [0.0, 2.0])]).item() == pytest.approx(0, abs=1e-12)
    assert coherence([two, matrix([1.0, 0.0], [0.0, 2.0])]).item() == pytest.approx(math.cos(angle) ** 2 / 2)


def test_a_tight_frame_has_the_welch_bound():
    third = 2 * math.pi / 3
    star = matrix(*([math.cos(third * k), math.sin(third * k)] for k in range(3)))
    assert coherence([star]).item() == pytest.approx((3 - 2) / (2 * (3 - 1)))


@pytest.mark.parametrize("shape", [(5, 12), (12, 5)])
def test_it_is_the_mean_over_pairs_written_out(shape):
    weight = torch.randn(*shape, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    columns = weight.flatten(1).T
    pairs = [
        torch.cosine_similarity(columns[i], columns[j], dim=0) ** 2
        for i in range(len(columns))
        for j in range(len(columns))
        if i != j
    ]
    assert coherence([weight]).item() == pytest.approx(torch.stack(pairs).mean().item())


def run(dataset, penalty, architecture="mobilenetv2", epochs=3):
    torch.manual_seed(0)
    net = build(architecture, 6.0, classes=10, in_channels=1, size=8)
    recipe = Recipe.model_validate({**RECIPE, "ema": None, "epochs": epochs, "penalties": {"incoherence": penalty}})
    return Training(net, dataset, recipe, seed=0, device=torch.device("cpu"))


def test_the_penalty_lowers_the_coherence_of_projections_more_the_more_it_weighs(dataset):
    after = []
    for penalty in (0.0, 1.0, 30.0):
        training = run(dataset, penalty, epochs=10)
        while not training.finished:
            training.run_epoch()
        after.append(coherence(projections(training.net)).item())
    assert after[0] > after[1] > after[2]
    assert after[2] < 0.8 * after[0]


def test_what_is_recorded_is_the_loss_without_the_penalty(dataset):
    plain, penalised = run(dataset, 0.0), run(dataset, 1e-9)
    assert penalised.run_epoch()["train_loss"] == pytest.approx(plain.run_epoch()["train_loss"], rel=1e-3)
    loud = run(dataset, 1e3)
    assert loud.run_epoch()["train_loss"] < 10


def test_only_projections_are_penalised(dataset):
    training = run(dataset, 1.0)
    before = copy.deepcopy(training.net.state_dict())
    coherence(projections(training.net)).backward()
    touched = {name for name, value in training.net.named_parameters() if value.grad is not None}
    assert touched and all(".project." in name for name in touched)
    assert all(torch.equal(value, before[name]) for name, value in training.net.state_dict().items())


def test_an_architecture_without_projections_is_refused(dataset):
    with pytest.raises(LowparamError, match=r"penalties\.incoherence: this architecture has no projections"):
        run(dataset, 1.0, "mobilenext")
