"""An experiment cannot be called like a rule of the workflow."""

import re

import pytest
import yaml

from lowparam.engine.rule_names import RESERVED, check_names
from lowparam.errors import LowparamError
from lowparam.params import load
from workspace import ROOT, small_params


@pytest.mark.parametrize(
    "name", ["runs", "data", "star_dimension", "star", "train_0_1", "profile_3", "tune_6", "deploy_0", "overview"]
)
def test_an_experiment_with_the_name_of_a_rule_is_refused(tmp_path, name):
    params = small_params()
    params["experiments"] = {name: params["experiments"]["digits"], "rates": params["experiments"]["digits"]}
    params["replicate"] = ["rates"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    says = f"experiments.{name}: the workflow has another use for this name"
    with pytest.raises(LowparamError, match=says) as refusal:
        check_names(load(tmp_path / "params.yaml"))
    assert "\n" not in str(refusal.value)


def test_names_of_rules_are_those_of_the_workflow():
    text = "\n".join(path.read_text() for path in [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")])
    assert {*re.findall(r"^rule (\w+):", text, re.MULTILINE)} <= RESERVED
    assert {*re.findall(r'"(prepare\w*)"', text)} <= RESERVED
    assert {"tune_", "train_", "profile_", "deploy_"} == {*re.findall(r'f"(\w+_)\{', text)}
