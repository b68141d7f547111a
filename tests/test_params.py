"""params.yaml as typed objects: the grid and the recipe of a run."""

import re
from pathlib import Path

import pytest
import yaml

from lowparam.errors import LowparamError
from lowparam.params import RESERVED, load, rules_of, run_spec

ROOT = Path(__file__).parents[1]

MINIMAL = {
    "data": {"digits": {"source": "digits", "split": {"train": 0.6, "validation": 0.15, "test": 0.25}}},
    "recipes": {"plain": {"epochs": 2, "batch_size": 64, "lr": 0.02}},
    "experiments": {
        "rates": {
            "data": "digits",
            "recipe": "plain",
            "architectures": ["mobilenetv1", "convnext"],
            "probes": ["none"],
            "budgets": ["10k", "25k"],
            "seeds": [0, 1],
            "overrides": {"convnext": {"lr": 0.01, "weight_decay": 0.5}},
            "variants": {"slow": {"lr": 0.005}, "same": {}},
        }
    },
    "replicate": ["rates"],
}


@pytest.fixture
def params(tmp_path):
    """Load MINIMAL with some values of its experiment replaced."""

    def read(**values):
        values = {**MINIMAL, "experiments": {"rates": {**MINIMAL["experiments"]["rates"], **values}}}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
        return load(tmp_path / "params.yaml")

    return read


def test_every_scale_is_trained_with_each_variant(params):
    names = [scale.name for scale in params().scales("rates")]
    assert len(set(names)) == len(names) == 2 * 2 * 2
    assert names[:4] == [
        "mobilenetv1@slow-none-10k",
        "mobilenetv1@slow-none-25k",
        "mobilenetv1@same-none-10k",
        "mobilenetv1@same-none-25k",
    ]


def test_a_variant_lies_above_the_override_of_its_architecture(params):
    read = params()
    lr = {scale.label: read.recipe(scale).lr for scale in read.scales("rates")}
    assert lr == {"mobilenetv1@slow": 0.005, "mobilenetv1@same": 0.02, "convnext@slow": 0.005, "convnext@same": 0.01}
    assert {read.recipe(scale).weight_decay for scale in read.scales("rates") if "convnext" in scale.label} == {0.5}


def test_a_run_is_the_same_however_its_recipe_was_written(params):
    variant = params(overrides={}, variants={"slow": {"lr": 0.005}})
    override = params(overrides={"mobilenetv1": {"lr": 0.005}}, variants={})
    specs = [run_spec(read, read.runs("rates")[0]) for read in (variant, override)]
    assert specs[0] == specs[1]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"variants": {"slow": {"lr": -1.0}}}, "experiments.rates.variants.slow.lr"),
        ({"variants": {"slow": {"rate": 1.0}}}, "experiments.rates.variants.slow.rate is not a known key"),
        ({"variants": {"a-b": {}}}, "a-b"),
    ],
)
def test_a_bad_variant_is_named(params, values, says):
    with pytest.raises(LowparamError, match=says) as refusal:
        params(**values)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        *((rule, f"experiments.{rule}: experiments.rates has a rule {rule}") for rule in rules_of("rates")[1:]),
        ("prepare_digits", "experiments.prepare_digits: data.digits has a rule prepare_digits"),
        ("tables_star", "experiments.tables_star: the workflow has another use for this name"),
        ("data", "experiments.data: the workflow has another use for this name"),
    ],
)
def test_an_experiment_with_the_name_of_a_rule_is_refused(tmp_path, name, says):
    rates = MINIMAL["experiments"]["rates"]
    values = {**MINIMAL, "experiments": {name: rates, "rates": rates}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    with pytest.raises(LowparamError, match=says) as refusal:
        load(tmp_path / "params.yaml")
    assert "\n" not in str(refusal.value)


def test_names_of_rules_are_those_of_the_workflow():
    text = "\n".join(path.read_text() for path in [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")])
    own = {name.replace("{experiment}", "x") for name in re.findall(r'name:\s+f"(\w*\{experiment\}\w*)"', text)}
    assert own == {*rules_of("x")} - {"x"}
    assert {*re.findall(r"^rule (\w+):", text, re.MULTILINE)} <= RESERVED
