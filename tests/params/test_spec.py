"""What determines a run: full, and without the values that equal their default."""

import json
from pathlib import Path

import pytest

from lowparam.params import (
    Augment,
    Experiment,
    Factors,
    Profile,
    Recipe,
    load,
    profile_spec,
    run_spec,
    without_defaults,
)

PARAMS = load(Path(__file__).parents[2] / "params.yaml")
RUN = PARAMS.runs("digits")[0]

DEFAULTS = {
    Recipe: {
        "optimizer": "adamw",
        "min_lr": 0.0,
        "betas": [0.9, 0.999],
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 0.0,
        "schedule": "cosine",
        "milestones": [],
        "decay_every": None,
        "decay_factor": 0.1,
        "warmup_epochs": 0.0,
        "label_smoothing": 0.0,
        "dropout": 0.0,
        "drop_path": 0.0,
        "loss": "cross_entropy",
        "loss_options": {},
        "penalties": {},
        "clip_norm": None,
        "ema": None,
        "precision": "auto",
        "augment": {
            "crop_padding": 0,
            "flip": False,
            "rotation": 0.0,
            "cutout": 0,
            "mixup": 0.0,
            "cutmix": 0.0,
            "crop_area": 1.0,
            "rand_augment": None,
            "color_jitter": 0.0,
            "erasing": 0.0,
        },
        "dose": None,
    },
    Factors: {
        "images": [1500, 500, 1000],
        "places": "free",
        "patch": None,
        "availability": 1.0,
        "importance": 1.0,
        "correlation": 0.0,
        "noise": 0.0,
        "seed": 0,
    },
    Experiment: {"mode": "controlled", "counting": "total", "depth": 2, "divisor": 1, "minimum_width": 4},
    Profile: {
        "images": 2000,
        "positions": 16,
        "folds": 20,
        "null_draws": 100,
        "steering_images": 16,
        "steering_classes": 64,
        "ablation_pairs": 8,
        "ablation_images": 8,
        "gradient_images": 8,
        "sae_steps": 8000,
        "measures": [],
    },
}


@pytest.mark.parametrize("section", DEFAULTS, ids=lambda section: section.__name__)
def test_defaults_are_those_that_recorded_runs_were_made_with(section):
    """A default that changes would change what recorded runs mean: add a key instead."""
    for key, value in DEFAULTS[section].items():
        default = section.model_fields[key].default
        assert (default.model_dump() if isinstance(default, Augment) else default) == value, key


def test_every_key_with_a_default_is_pinned():
    settings = {"data", "recipe", "architectures", "probes", "budgets", "seeds", "overrides", "variants", "profile"}
    settings |= {"tune"}  # what it chose is in the recipe
    settings |= {"deploy"}  # what is measured afterwards
    for section, pinned in DEFAULTS.items():
        defaults = {key for key, field in section.model_fields.items() if not field.is_required()}
        assert defaults - settings == {*pinned}, "state the default of the new key here, and never change it"


def test_a_value_that_equals_its_default_is_left_out():
    short, full = run_spec(PARAMS, RUN, defaults=False), run_spec(PARAMS, RUN)
    assert without_defaults(full) == short
    assert {"mode", "depth", "counting", "divisor", "minimum_width"}.isdisjoint(short)
    assert set(full["recipe"]) == set(Recipe.model_fields)
    for key, value in full["recipe"].items():
        assert (key in short["recipe"]) == (key in ("epochs", "batch_size", "lr") or value != DEFAULTS[Recipe][key])


def test_a_run_recorded_before_a_key_was_added_is_the_same_run():
    recorded = json.loads(json.dumps(run_spec(PARAMS, RUN)))
    del recorded["recipe"]["ema"], recorded["recipe"]["augment"]["erasing"], recorded["divisor"]
    assert without_defaults(recorded) == run_spec(PARAMS, RUN, defaults=False)


@pytest.mark.parametrize(
    ("change", "value"), [("lr", 0.5), ("ema", 0.9), ("betas", [0.9, 0.97]), ("augment", {"flip": True})]
)
def test_another_value_is_another_run(change, value):
    recorded = run_spec(PARAMS, RUN)
    recorded["recipe"][change] = value
    assert without_defaults(recorded) != run_spec(PARAMS, RUN, defaults=False)


def test_without_defaults_leaves_what_it_is_given_as_it_is():
    spec = run_spec(PARAMS, RUN)
    before = json.dumps(spec)
    without_defaults(spec)
    assert json.dumps(spec) == before


def test_names_do_not_determine_a_run():
    assert "experiment" not in run_spec(PARAMS, RUN) and "name" not in run_spec(PARAMS, RUN)["data"]


def test_measuring_differently_is_no_other_run():
    run = RUN
    changed = PARAMS.model_copy(
        update={
            "experiments": {
                "digits": PARAMS.experiments["digits"].model_copy(update={"profile": Profile(images=10)}),
            }
        }
    )
    assert run_spec(changed, run) == run_spec(PARAMS, run)
    assert profile_spec(changed, run, defaults=False)["profile"] == {"images": 10}
    assert profile_spec(PARAMS, run, defaults=False)["profile"] == {}
