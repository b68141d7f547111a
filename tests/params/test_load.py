"""params.yaml as typed objects: the grid and the recipe of a run."""

from pathlib import Path

import pytest
import yaml

from lowparam.errors import LowparamError
from lowparam.params import load, run_spec

ROOT = Path(__file__).parents[2]

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
    ("patterns", "names"),
    [
        (["plain"], ["plain"]),
        (["a_{b,c}"], ["a_b", "a_c"]),
        (["a{,_d}_{e,f}"], ["a_e", "a_f", "a_d_e", "a_d_f"]),
        (["x{1,2}", "y"], ["x1", "x2", "y"]),
        (["a+{b,c}"], ["a+b", "a+c"]),
    ],
)
def test_braces_expand_as_in_a_shell(params, patterns, names):
    read = params(architectures=patterns, overrides={}, variants={})
    assert read.experiments["rates"].architectures == names


@pytest.mark.parametrize("pattern", ["a_{b,c", "a_b}", "a_{b,{c,d}}"])
def test_a_brace_without_its_partner_is_named(params, pattern):
    with pytest.raises(LowparamError, match=r"experiments\.rates\.architectures: .* has a brace without its partner"):
        params(architectures=[pattern], overrides={}, variants={})


def test_a_name_that_a_pattern_repeats_is_refused(params):
    with pytest.raises(LowparamError, match="architectures names 'a_b' twice"):
        params(architectures=["a_{b,b}"], overrides={}, variants={})


def test_recipes_may_be_in_a_file_of_their_own(tmp_path):
    values = {**MINIMAL, "recipes": {}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({key: values[key] for key in values if key != "recipes"}))
    (tmp_path / "recipes.yaml").write_text(yaml.safe_dump(MINIMAL["recipes"]))
    assert load(tmp_path / "params.yaml").recipes["plain"].epochs == 2
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(MINIMAL))
    with pytest.raises(LowparamError, match=r"recipes\.plain is also in .*recipes\.yaml; rename one of them"):
        load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"loss": "cross_entrpy"}, "loss: 'cross_entrpy' is not defined; did you mean 'cross_entropy'"),
        ({"penalties": {"incoherense": 1.0}}, "penalties: 'incoherense' is not defined; did you mean 'incoherence'"),
    ],
)
def test_a_loss_or_penalty_that_is_not_there_is_named(params, change, says):
    with pytest.raises(LowparamError, match=says):
        params(variants={"v": change})
