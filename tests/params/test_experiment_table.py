"""docs/experiments.md is about the experiments of params.yaml."""

import re
from pathlib import Path

import pytest

from lowparam.engine.experiment_table import purposes
from lowparam.errors import LowparamError
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


def test_an_experiment_without_a_purpose_is_named():
    with pytest.raises(LowparamError, match=r"experiments\.mine has no comment above it; write: # Purpose"):
        purposes(TEXT + "\n  mine:\n    data: digits\n")


def test_the_settings_fit_on_a_few_screens():
    assert TEXT.count("\n") <= 260
