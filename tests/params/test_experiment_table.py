"""docs/experiments.md is about the experiments of params.yaml."""

import re
from pathlib import Path

import pandas as pd
import pytest

from lowparam.claims.availability import planned
from lowparam.claims.registry import load_registry
from lowparam.engine.experiment_table import purposes
from lowparam.engine.plans import trials, with_profiles
from lowparam.errors import LowparamError
from lowparam.models import blocks
from lowparam.page_tables import markdown
from lowparam.params import load

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")


def test_the_page_has_every_experiment_with_its_number_of_runs():
    params = load(ROOT / "params.yaml")
    found = {
        name: int(runs) for name, runs in re.findall(r"^\| `(\w+)` +\|[^|]+\|[^|]+\| *(\d+) *\|", PAGE, re.MULTILINE)
    }
    assert found == {name: len(params.runs(name)) for name in params.experiments}, "type: lowparam plan --write"


def test_every_experiment_has_a_purpose_and_a_command_above_it():
    for name, (purpose, command) in purposes(TEXT).items():
        assert purpose in PAGE
        assert command in (f"lowparam run {name}", "make replicate")


def test_another_row_changes_no_line_but_its_own():
    rows = [{"experiment": "`a`", "runs": 1}, {"experiment": "`b`", "runs": 2}]
    short = markdown(rows).splitlines()
    long = markdown([rows[0], {"experiment": "`a_longer_name`", "runs": 2_000}]).splitlines()
    assert short == ["| experiment | runs |", "| --- | --- |", "| `a` | 1 |", "| `b` | 2 |"]
    assert long[:3] == short[:3]
    assert [line for line in PAGE.splitlines() if line.startswith("|") and "  " in line] == []


def test_a_plan_counts_profiles_and_trials():
    plan = pd.DataFrame({"scale": ["a-none (tuning)", "a-none-10k"], "runs": [6, 3], "seconds": [100.0, 100.0]})
    assert with_profiles(plan)["seconds"].tolist() == pytest.approx([100, 110])
    assert trials(plan) == 6


def test_every_claim_about_networks_has_a_command_that_judges_it_on_photographs():
    """The primary test of each, or a sentence why two cores cannot run it."""
    params = load(ROOT / "params.yaml")
    page = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    primary = {(claim.id, test.id) for claim in load_registry().claims for test in claim.tests if test.primary}
    section = page.split("## Which command gives a verdict on photographs?")[1].split("\n## ")[0]
    named = {}
    for claims, experiment in re.findall(r"^\| (C[^|]+) \| `lowparam run (\w+)` \|$", section, re.MULTILINE):
        assert experiment in SLICES and params.experiment(experiment).data.startswith(("cifar10_jpeg", "tiny_imagenet"))
        judged = {(claim, test["id"]) for claim, test in planned(params.experiment(experiment))} & primary
        assert set(claims.split(", ")) <= {claim for claim, _ in judged}, experiment
        named |= dict.fromkeys(claims.split(", "), experiment)
    others = set(re.findall(r"\bC\d+\b", section.split("| C21 |")[1]))
    assert set(named) | others >= {f"C{number}" for number in range(1, 23)}
    assert not set(named) & others


SLICES = {
    "cifar10": (8, 3),
    "cifar10_25k": (8, 3),
    "cifar10_100k": (8, 3),
    "cifar10_star": (8, 5),
    "cifar10_solu": (8, 3),
    "cifar10_solu_s3": (8, 3),
    "cifar10_elements": (8, 3),
    "cifar10_incoherence": (8, 3),
    "cifar10_open": (8, 3),
    "cifar10_ablation": (8, 3),
    "cifar10_depth": (8, 3),
    "tiny_imagenet": (5, 3),
    "tiny_imagenet_body": (5, 3),
}


@pytest.mark.parametrize("name", SLICES)
def test_experiments_on_photographs_train_fairly_within_two_and_a_half_hours(name):
    """Tuned, crops and flips, cosine to zero, and enough epochs and seeds to mean something."""
    params = load(ROOT / "params.yaml")
    experiment, recipe = params.experiment(name), params.recipes[params.experiment(name).recipe]
    epochs, seeds = SLICES[name]
    assert experiment.tune is not None and "lr" in experiment.tune.values
    assert not set(experiment.tune.seeds) & set(experiment.seeds)
    assert recipe.augment.crop_padding == 4 and recipe.augment.flip and recipe.schedule == "cosine"
    assert recipe.epochs >= epochs and len(experiment.seeds) >= seeds
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` ")]
    minutes = int(row.split("|")[5].replace(",", ""))
    assert minutes <= (60 if name == "cifar10_25k" else 150)


def test_an_experiment_without_a_purpose_is_named():
    with pytest.raises(LowparamError, match=r"experiments\.mine has no comment above it; write: # Purpose"):
        purposes(TEXT + "\n  mine:\n    data: digits\n")


def test_the_settings_fit_on_a_few_screens():
    assert TEXT.count("\n") <= 340


def test_the_zoo_has_every_block_tuned_and_takes_an_hour_at_most():
    zoo = load(ROOT / "params.yaml").experiment("zoo")
    assert sorted(zoo.architectures) == sorted(blocks.names())
    assert zoo.probes == ["none"] and zoo.budgets == [25_000, 100_000] and len(zoo.seeds) == 5
    assert zoo.tune is not None and "lr" in zoo.tune.values
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `zoo` ")]
    assert int(row.split("|")[5]) <= 60
