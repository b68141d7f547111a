import json
import math
from types import SimpleNamespace

import pytest
import torch

from lowparam import paths, runs
from lowparam.claims.registry import load_registry
from lowparam.engine.check import check_scales, is_checked
from lowparam.errors import LowparamError
from lowparam.params import Params, Run
from lowparam.training import loop, tune
from lowparam.training.plan import plan
from lowparam.training.train_scale import train_scale
from lowparam.training.untrained import is_untrained, largest_share, threshold
from quick import make_params
from synthetic import add, allowed, definite, grid, noisy, verdicts


def tuned_params(lr=(0.003, 0.01, 0.03), architectures=("mobilenetv1", "convnext"), **tuning):
    """The quick experiment with tuning."""
    params = make_params(architectures=architectures).model_dump(exclude_unset=True)
    settings = {"lr": list(lr), "budget": 5000, "seeds": [100], **tuning}
    params["experiments"]["quick"] |= {"tune": settings, "budgets": [5000, 8000]}
    return Params.model_validate(params)


@pytest.fixture
def here(tmp_path, monkeypatch, data_folder):
    """An empty folder with prepared data, in which results are written."""
    monkeypatch.chdir(tmp_path)
    paths.DATA.mkdir(parents=True)
    paths.data("digits").symlink_to(data_folder)
    return data_folder


@pytest.fixture
def planted(monkeypatch):
    """Trials that train nothing: the accuracy of a learning rate falls with its distance from a planted optimum."""
    plant = SimpleNamespace(optimum={}, status=lambda lr: "finished", tried=[])

    def train(self, scale, values, seed):
        plant.tried.append((scale.architecture, scale.budget, values["lr"], seed))
        distance = abs(math.log(values["lr"] / plant.optimum[scale.architecture]))
        status = plant.status(values["lr"])
        numbers = {"train_loss": distance, "train_accuracy": 1.0, "validation_accuracy": 1 - distance / 20}
        if status == "diverged":
            numbers = dict.fromkeys(numbers)
        budget = f"{scale.budget // 1000}k"
        return {"values": values, "budget": budget, "seed": seed, "status": status, **numbers}

    monkeypatch.setattr(tune.Trials, "_train", train)
    return plant


def choose(params, data_folder, family="mobilenetv1-none"):
    scale = next(scale for scale in params.families("quick") if scale.family == family)
    tune.tune(params, scale, data_folder=data_folder, device="cpu")
    return json.loads(paths.tuning("quick", family).read_text())


def test_optima_a_factor_of_four_apart_are_both_found(here, planted):
    planted.optimum = {"mobilenetv1": 0.005, "convnext": 0.02}
    params = tuned_params(lr=[0.0025, 0.005, 0.01, 0.02, 0.04])
    for architecture, best in planted.optimum.items():
        found = choose(params, here, f"{architecture}-none")
        assert found["chosen"] == {"lr": best} and found["at_edge"] == {} and found["added"] == {}


@pytest.mark.parametrize(
    ("optimum", "added", "chosen", "edge"),
    [
        (0.1, [0.09, 0.27], 0.09, {}),
        (0.001, [0.0009, 0.00027], 0.0009, {}),
        (10.0, [0.09, 0.27], 0.27, {"lr": "largest"}),
        (1e-6, [0.0009, 0.00027], 0.00027, {"lr": "smallest"}),
    ],
)
def test_a_list_whose_best_value_is_at_its_end_is_extended_at_most_twice(here, planted, optimum, added, chosen, edge):
    planted.optimum = {"mobilenetv1": optimum}
    found = choose(tuned_params(check=0), here)
    assert found["added"] == {"lr": added} and found["chosen"] == {"lr": chosen} and found["at_edge"] == edge


def test_values_with_which_a_training_fails_are_out(here, planted):
    planted.optimum = {"mobilenetv1": 0.03}
    planted.status = lambda lr: "diverged" if lr >= 0.03 else "finished"
    assert choose(tuned_params(check=0), here)["chosen"] == {"lr": 0.01}
    planted.status = lambda lr: "untrained" if lr >= 0.03 else "finished"
    assert choose(tuned_params(check=0), here)["chosen"] == {"lr": 0.01}


def test_if_nothing_trains_the_lowest_loss_leads_and_if_all_diverges_smaller_values(here, planted):
    planted.optimum, planted.status = {"mobilenetv1": 0.1}, lambda lr: "untrained"
    assert choose(tuned_params(check=0), here)["chosen"] == {"lr": 0.03}
    planted.status = lambda lr: "diverged"
    found = choose(tuned_params(check=0), here)
    assert found["chosen"] == {"lr": 0.00027} and found["at_edge"] == {"lr": "smallest"}


def test_a_list_of_which_nothing_trains_is_extended_downwards_until_something_does(here, planted):
    planted.optimum = {"mobilenetv1": 0.1}  # by loss alone, larger values would be next
    planted.status = lambda lr: "finished" if lr < 0.001 else "untrained"
    found = choose(tuned_params(check=0), here)
    assert found["added"] == {"lr": [0.0009, 0.00027]} and found["chosen"] == {"lr": 0.0009}


def test_a_loss_without_a_value_ranks_last():
    def rows(lr, loss):
        return [{"values": {"lr": lr}, "status": "untrained", "train_loss": loss}]

    rates = {"lr": [0.003, 0.01]}
    assert tune.best_of({1: rows(0.003, None), 2: rows(0.01, 2.3)}, rates) == {"lr": 0.01}
    assert tune.best_of({1: rows(0.003, None), 2: rows(0.01, None)}, rates) == {"lr": 0.003}


def test_ties_go_to_the_smaller_value():
    rows = {
        lr: [{"values": {"lr": lr}, "status": "finished", "validation_accuracy": accuracy}]
        for lr, accuracy in ((0.03, 0.9), (0.01, 0.9), (0.003, 0.8))
    }
    assert tune.best_of(rows, {"lr": [0.003, 0.01, 0.03]}) == {"lr": 0.01}


def test_the_mean_over_seeds_decides():
    def rows(lr, *accuracies):
        return [{"values": {"lr": lr}, "status": "finished", "validation_accuracy": each} for each in accuracies]

    assert tune.best_of({1: rows(0.01, 0.9, 0.5), 2: rows(0.03, 0.8, 0.8)}, {"lr": [0.01, 0.03]}) == {"lr": 0.03}


def equally_good(rate=None):
    """Make experiments with two arms that are equally good, each at an optimum of its own, tuned or at one rate."""
    optimum, rates = {"mobilenetv1": 0.005, "mobilenetv2": 0.02}, [0.0025, 0.005, 0.01, 0.02, 0.04]
    sd = 0.003

    def accuracy(architecture, lr):
        return 0.9 - 0.02 * math.log2(lr / optimum[architecture]) ** 2

    def chosen(architecture, rng):
        trials = {
            lr: [
                {
                    "values": {"lr": lr},
                    "status": "finished",
                    "validation_accuracy": accuracy(architecture, lr) + rng.normal(0, sd),
                }
            ]
            for lr in rates
        }
        return tune.best_of(trials, {"lr": rates})["lr"]

    def make(rng):
        runs = noisy(grid(list(optimum)), rng, sd)
        for architecture in optimum:
            lr = rate or chosen(architecture, rng)
            runs = add(runs, accuracy(architecture, lr) - 0.9, architecture=[architecture])
        return runs

    return make


def test_tuned_arms_that_are_equally_good_give_few_verdicts_and_untuned_ones_many():
    test = load_registry().tests()["C2", "total_v2"]
    assert definite(verdicts(test, equally_good())) <= allowed()
    assert definite(verdicts(test, equally_good(rate=0.005), 20)) > 0.9, "a verdict on the learning rate"


@pytest.mark.parametrize(
    ("values", "side", "continued"),
    [
        ([0.01, 0.02], "largest", 0.04),
        ([0.01, 0.02], "smallest", 0.005),
        ([0.003, 0.01, 0.03], "largest", 0.09),
        ([16, 32], "largest", 64),
        ([0.0, 0.1], "smallest", None),
        ([0.0, 0.1], "largest", None),
        ([1, 2], "smallest", None),  # half a batch is none
    ],
)
def test_lists_continue_by_their_last_ratio(values, side, continued):
    assert tune.next_value(values, side) == continued


def test_values_beyond_what_a_recipe_allows_are_not_added():
    params = tuned_params(dropout=[0.4, 0.8])
    tried = {"lr": [0.003, 0.01, 0.03], "dropout": [0.4, 0.8]}
    scale, added = params.families("quick")[0], {"lr": [], "dropout": []}
    assert tune._extension(params, scale, {"lr": 0.01, "dropout": 0.8}, tried, added) == {}  # 1.6 is no share
    assert tune._extension(params, scale, {"lr": 0.01, "dropout": 0.4}, tried, added) == {"dropout": 0.2}


def test_the_choice_is_checked_at_the_largest_budget_with_its_neighbours(here, planted):
    planted.optimum = {"mobilenetv1": 0.01, "convnext": 0.01}
    params = tuned_params(check=1)
    found = choose(params, here)
    assert found["check"] == {"budget": "8k", "best": {"lr": 0.01}, "agrees": True}
    assert [lr for _, budget, lr, _ in planted.tried if budget == 8000] == [0.01, 0.003, 0.03]
    assert choose(params, here, "convnext-none")["check"] is None


def test_a_choice_that_does_not_train_at_the_largest_budget_gives_way_to_a_neighbour(here, planted, monkeypatch):
    planted.optimum = {"mobilenetv1": 0.01}
    train = tune.Trials._train

    def fails_when_large(self, scale, values, seed):
        row = train(self, scale, values, seed)
        return row | {"status": "untrained"} if scale.budget == 8000 and values["lr"] >= 0.01 else row

    monkeypatch.setattr(tune.Trials, "_train", fails_when_large)
    found = choose(tuned_params(check=1), here)
    assert found["chosen"] == {"lr": 0.003}
    assert found["check"] == {"budget": "8k", "best": {"lr": 0.003}, "agrees": False}
    assert found["at_edge"] == {"lr": "smallest"}


def test_several_keys_are_tried_in_all_combinations(here, planted):
    planted.optimum = {"mobilenetv1": 0.01}
    found = choose(tuned_params(check=0, weight_decay=[0.0, 0.1]), here)
    assert len(found["trials"]) == 6
    assert found["chosen"] == {"lr": 0.01, "weight_decay": 0.0}  # a tie in the second


def test_training_uses_the_choice_and_refuses_to_start_without_it(here):
    params = tuned_params(lr=[0.003, 0.01], architectures=["mobilenetv1"], check=0)
    scale = params.scales("quick")[1]
    with pytest.raises(LowparamError, match="lowparam tune quick mobilenetv1-none"):
        train_scale(params, scale, data_folder=here, device="cpu")
    assert runs.state(params, Run(scale, 0)) == "missing"
    chosen = choose(params, here)["chosen"]
    train_scale(params, scale, data_folder=here, device="cpu")
    metrics = json.loads((scale.folder / "seed0/metrics.json").read_text())
    assert metrics["spec"]["recipe"]["lr"] == chosen["lr"]
    assert runs.state(params, Run(scale, 0)) == "untrained"
    file = paths.tuning("quick", "mobilenetv1-none")
    text = file.read_text()
    file.write_text(text.replace(f'"lr": {chosen["lr"]}', '"lr": 0.5', 1))
    assert runs.choice(params, scale) is None, "an edited choice is none"
    assert runs.state(params, Run(scale, 0)) == "stale"
    file.write_text(text)
    more = tuned_params(lr=[0.003, 0.01, 0.03], architectures=["mobilenetv1"], check=0)
    assert runs.choice(more, scale) is None, "a choice from another list is none"
    assert runs.choice(params, scale) == chosen


def test_a_killed_tuning_resumes_and_another_value_trains_only_itself(here, monkeypatch):
    epochs, run_epoch = [], loop.Training.run_epoch

    def counted(self):
        if len(epochs) == 4:
            epochs.append(None)
            raise KeyboardInterrupt
        epochs.append((self.recipe.lr, self.epoch))
        return run_epoch(self)

    monkeypatch.setattr(loop.Training, "run_epoch", counted)
    monkeypatch.setattr(tune, "EXTENSIONS", 0)
    params = tuned_params(lr=[0.003, 0.01], architectures=["mobilenetv1"], check=0)
    with pytest.raises(KeyboardInterrupt):
        choose(params, here)
    assert not paths.tuning("quick", "mobilenetv1-none").exists()
    resumed = choose(params, here)
    assert [each for each in epochs if each] == [(lr, epoch) for lr in (0.003, 0.01) for epoch in range(3)]
    epochs[:] = [None] * 5
    longer = choose(tuned_params(lr=[0.003, 0.01, 0.03], architectures=["mobilenetv1"], check=0), here)
    assert epochs[5:] == [(0.03, epoch) for epoch in range(3)]
    assert longer["trials"][:2] == resumed["trials"]


def test_untrained_is_what_has_learned_little_more_than_the_largest_class():
    assert threshold(0.1) == pytest.approx(0.2) and threshold(0.005) == pytest.approx(0.01)
    assert threshold(0.6) == pytest.approx(0.7)
    assert is_untrained(0.2, 0.1) and not is_untrained(0.21, 0.1)
    assert largest_share(torch.tensor([0, 1, 1, 1, 3])) == 0.6


def test_changes_for_streamed_images_are_refused_before_anything_is_tuned(here):
    params = tuned_params().model_dump()
    params["experiments"]["quick"]["tune"] = {"lr": [0.003, 0.01], "budget": 5000, "seeds": [100]}
    params["recipes"]["quick"]["augment"]["erasing"] = 0.5
    with pytest.raises(LowparamError, match=r"recipes\.quick\.augment\.erasing is for images that are streamed"):
        choose(Params.model_validate(params), here)


def test_a_folder_that_cannot_be_written_is_one_line(here):
    work = paths.trials("quick", "mobilenetv1-none")
    work.parent.mkdir(parents=True)
    work.write_text("a file where a folder should be")
    with pytest.raises(LowparamError, match=f"cannot write {work}"):
        choose(tuned_params(), here)


def test_rates_that_are_written_as_whole_numbers_are_extended_below_one(here, planted):
    planted.optimum = {"mobilenetv1": 0.5}
    found = choose(tuned_params(lr=[1, 2], check=0), here)
    assert found["chosen"] == {"lr": 0.5} and found["added"] == {"lr": [0.5, 0.25]}


def test_a_warmup_that_only_trials_may_have_is_planned(here):
    params = make_params(architectures=["mobilenetv1"]).model_dump()
    params["recipes"]["quick"]["warmup_epochs"] = 2
    params["experiments"]["quick"]["tune"] = {
        "warmup_epochs": [0, 1],
        "epochs": 2,
        "budget": 5000,
        "seeds": [100, 101],
    }
    rows = plan(Params.model_validate(params), "quick", data=paths.DATA)
    assert dict(zip(rows["scale"], rows["runs"], strict=True))["mobilenetv1-none (tuning)"] == 4


def test_a_budget_of_tuning_that_no_network_reaches_is_found_before_anything_runs(here):
    with pytest.raises(LowparamError, match=r"experiments\.quick: .*mobilenetv1"):
        check_scales(tuned_params(budget=5), ["quick"])
    assert not is_checked(tuned_params(budget=5), "quick")
    check_scales(tuned_params(), ["quick"])
    assert is_checked(tuned_params(), "quick")
