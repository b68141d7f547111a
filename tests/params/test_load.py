"""params.yaml as typed objects: the grid and the recipe of a run."""

import shutil
from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML

from lowparam.errors import LowparamError
from lowparam.files import format_yaml, parse_yaml, read_yaml
from lowparam.models.probes import names
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
        ({"variants": {"a-b": {}}}, "variants: 'a-b' cannot be a name"),
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


def read(folder: Path, text: str | bytes):
    """Read a file of this content as YAML."""
    (folder / "some.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(folder / "some.yaml", missing="it must be there")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-05", 1e-05),
        ("1e3", 1000.0),
        ("-2.5E+1", -25.0),
        ("1.0e-3", 0.001),
        ("010", 10),
        ("0o10", 8),
        ("12:30", "12:30"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("10k", "10k"),
        ("null", None),
    ],
)
def test_values_are_those_of_yaml_1_2(tmp_path, text, value):
    found = read(tmp_path, f"key: {text}")["key"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\n\na: 3", "a is in line 1 and again in line 4; keep one of them"),
        ("x:\n  lr: 1\n  y: [{lr: 1, b: 2,\n    b: 3}]", "b is in line 3 and again in line 4; keep one of them"),
        ("a: &x\n  b: [*x, {c: 1}]\nd:\n  e: 1\n  e: 2", "e is in line 4 and again in line 5; keep one of them"),
        ("a:\n\t- 1", ", line 2: not valid YAML: found character '\\t'"),
        ("a: [1", ", line 1: not valid YAML: expected ',' or ']'"),
        ("a: 2001-99-99", "not valid YAML: month must be in 1..12"),
        ("a: \x01", "line 1: YAML forbids the character U+0001; delete it"),
        ("# ü\na: ü".encode("latin-1"), "is not UTF-8 (byte 0xfc in line 1); save it as UTF-8"),
        ("a: 1".encode("utf-16"), "is UTF-16 or UTF-32; save it as UTF-8"),
        ("a: 1".encode("utf-16-le"), "is UTF-16 or UTF-32; save it as UTF-8"),
    ],
)
def test_yaml_that_cannot_be_read_is_refused_with_its_lines(tmp_path, text, says):
    with pytest.raises(LowparamError) as refusal:
        read(tmp_path, text)
    assert says in str(refusal.value) and str(refusal.value).startswith(f"{tmp_path / 'some.yaml'}")
    assert "\n" not in str(refusal.value)


def test_a_key_may_be_repeated_above_a_merged_section(tmp_path):
    text = "base: &base {lr: 1, epochs: 2}\nown:\n  <<: *base\n  lr: 3\n"
    assert read(tmp_path, text)["own"] == {"lr": 3, "epochs": 2}


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    assert read(tmp_path, "lr: 1".encode("utf-8-sig")) == {"lr": 1}


@pytest.mark.parametrize("name", ["on", "null", "1e5", "010", "1_000", "12:30", "0x1f", "2001-01-01", "1.5", "true"])
def test_names_that_look_like_values_survive_writing(tmp_path, name):
    content = {name: [name, {"b": name}]}
    assert read(tmp_path, format_yaml(content)) == content
    assert YAML(typ="rt").load(format_yaml(content)) == content, "as DVC reads it"


def test_what_dvc_writes_for_a_setting_is_read_as_it_was_given(tmp_path, monkeypatch):
    from dvc.utils.hydra import apply_overrides  # here, because importing DVC takes a second

    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "recipes.yaml"):
        shutil.copy(ROOT / name, name)
    given = ["digits.lr=0.00001", "digits.weight_decay=1e-7", "++digits.clip_norm=1e10", "++digits.augment.flip=true"]
    apply_overrides("recipes.yaml", given)
    apply_overrides("params.yaml", ["++experiments.cifar100.overrides={mobilenetv1: {lr: 0.00002}}"])
    assert "lr: 1e-05" in Path("recipes.yaml").read_text(), "or this test would test nothing"
    params = load()
    recipe = params.recipes["digits"]
    assert (recipe.lr, recipe.weight_decay, recipe.clip_norm, recipe.augment.flip) == (1e-5, 1e-7, 1e10, True)
    assert params.experiments["cifar100"].overrides == {"mobilenetv1": {"lr": 2e-5}}


def test_a_file_without_settings_is_named(tmp_path):
    for text, says in {"": "is empty; it needs data", "# later": "is empty", "- a": "has no sections"}.items():
        (tmp_path / "params.yaml").write_text(text)
        with pytest.raises(LowparamError, match=says):
            load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("null", 'recipes.yaml: YAML reads the name null as no value; quote it: "null"'),
        ("1", 'recipes.yaml: YAML reads the name 1 as a number; quote it: "1"'),
        ("true", 'recipes.yaml: YAML reads the name true as true or false; quote it: "true"'),
        ("2001-01-01", 'recipes.yaml: YAML reads the name 2001-01-01 as a date; quote it: "2001-01-01"'),
    ],
)
def test_a_name_that_is_no_text_needs_quotes(tmp_path, name, says):
    recipe = "{ epochs: 2, batch_size: 64, lr: 0.02 }"
    values = {**MINIMAL, "replicate": [name], "experiments": {name: MINIMAL["experiments"]["rates"]}}
    values["experiments"][name] = values["experiments"][name] | {"recipe": name}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({key: values[key] for key in values if key != "recipes"}))
    (tmp_path / "recipes.yaml").write_text(f"{name}: {recipe}\n")
    with pytest.raises(LowparamError) as refusal:
        load(tmp_path / "params.yaml")
    assert str(refusal.value).endswith(says)
    (tmp_path / "recipes.yaml").write_text(f'"{name}": {recipe}\n')
    if name == "2001-01-01":  # quoted, it is text, but a minus is in no name
        return
    assert [*load(tmp_path / "params.yaml").recipes] == [name]


@pytest.mark.parametrize("name", ["1e3", "0x10", "0o17", "~", "Null", "TRUE", "1.50", "-.inf", ".NaN", "007", "1_000"])
def test_a_name_that_yaml_reads_as_something_else_is_shown_as_it_was_written(tmp_path, name):
    recipe = "{ epochs: 2, batch_size: 64, lr: 0.02 }"
    values = {**MINIMAL, "replicate": ["rates"]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({key: values[key] for key in values if key != "recipes"}))
    (tmp_path / "recipes.yaml").write_text(f"other: {recipe}\n{name}: {recipe}\n")
    if isinstance(parse_yaml(name), str):  # in YAML 1.2 it is text, which the rule for names judges
        with pytest.raises(LowparamError, match=f"'{name}'|recipe: "):
            load(tmp_path / "params.yaml")
        return
    with pytest.raises(LowparamError) as refusal:
        load(tmp_path / "params.yaml")
    assert f"YAML reads the name {name} as " in str(refusal.value)
    assert str(refusal.value).endswith(f'; quote it: "{name}"')


@pytest.mark.parametrize(
    ("where", "text", "says"),
    [
        ("recipe", "recipe: 1e3", 'recipe: input should be a valid string, not 1e3; quote it: "1e3"'),
        ("probes", "probes: [none, 0x10]", 'probes.1: input should be a valid string, not 0x10; quote it: "0x10"'),
        ("seeds", "seeds: [1e3]", "seeds.0: input should be a valid integer, not 1e3; write 1000"),
        (
            "depth",
            "depth: 2.50e0",
            "depth: input should be a valid integer, not 2.50e0",
        ),
    ],
)
@pytest.mark.parametrize("by", ["experiment", "defaults", "anchor"])
def test_a_value_that_yaml_reads_as_something_else_is_shown_as_it_was_written(tmp_path, where, text, says, by):
    values = {**MINIMAL, "experiments": {"rates": {**MINIMAL["experiments"]["rates"], "counting": "total"}}}
    values["experiments"]["rates"].pop(where, None)
    written = yaml.safe_dump(values)
    if by == "experiment":
        written = written.replace("    counting: total\n", f"    {text}\n")
    elif by == "defaults":
        written = written.replace("    counting: total\n", "") + f"defaults: {{ {text} }}\n"
    else:
        written = f"defaults: &d {{ {text} }}\n" + written.replace("    counting: total\n", "    <<: *d\n")
    (tmp_path / "params.yaml").write_text(written)
    with pytest.raises(LowparamError) as refusal:
        load(tmp_path / "params.yaml")
    assert says in str(refusal.value)


def test_on_is_a_name_like_any_other(tmp_path):
    text = yaml.safe_dump({**MINIMAL, "replicate": ["off"], "experiments": {"off": MINIMAL["experiments"]["rates"]}})
    (tmp_path / "params.yaml").write_text(text.replace("'off'", "on"))
    assert load(tmp_path / "params.yaml").replicate == ["on"]


def test_a_recipe_whose_rate_would_rise_is_refused(params):
    with pytest.raises(LowparamError, match=r"min_lr must not be above lr \(0\.02\), the highest rate; it is 0\.5"):
        params(overrides={}, variants={"rising": {"min_lr": 0.5}})


@pytest.mark.parametrize("seed", [2**32, 2**64, 10**30])
def test_a_seed_that_no_library_takes_is_refused(params, seed):
    with pytest.raises(LowparamError, match=r"experiments\.rates\.seeds\.1: input should be less than 4294967296"):
        params(seeds=[0, seed])


@pytest.mark.parametrize("budget", [2**63, "9" * 400 + "k"])
def test_a_budget_that_no_computer_counts_to_is_refused(params, budget):
    with pytest.raises(LowparamError, match="is not a parameter count"):
        params(budgets=[budget])


@pytest.mark.parametrize("name", ["a.b", "a:b", "a-b", "..", "_a", "a b", "ä", "", "a\n"])
@pytest.mark.parametrize("section", ["experiments", "data", "recipes"])
def test_a_name_that_dvc_snakemake_or_latex_cannot_read_is_refused(tmp_path, section, name):
    """A point in the name of an experiment used to pass, and `make record` failed after all had been trained."""
    values = {**MINIMAL, section: {**MINIMAL[section], name: next(iter(MINIMAL[section].values()))}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(LowparamError) as refusal:
        load(tmp_path / "params.yaml")
    assert f": {section}: {name!r} cannot be a name; " in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"variants": {"a:b": {}}}, "variants: 'a:b' cannot be a name; write letters, digits, _ and points"),
        ({"variants": {"..": {}}}, "variants: '..' cannot be a name"),
        ({"architectures": ["mobile net"]}, r"architectures\.0: 'mobile net' cannot be a name; write a block"),
        ({"probes": ["solu.s1"]}, r"probes\.0: 'solu\.s1' cannot be a name; write a letter"),
        ({"probes": ["solu_s1_t0."]}, r"probes\.0: 'solu_s1_t0\.' cannot be a name; write a letter"),
        ({"variants": {"A": {}, "a": {}}}, "mobilenetv1@A-none-10k and mobilenetv1@a-none-10k would share a folder"),
    ],
)
def test_every_kind_of_name_has_one_rule(params, values, says):
    with pytest.raises(LowparamError, match=says):
        params(**values)


def test_every_probe_can_be_named(params):
    """The sharper SoLU has a point in its name, and no experiment could have it."""
    assert params(probes=names()).experiments["rates"].probes == names()


@pytest.mark.parametrize("key", ["variants", "architectures", "probes", "data"])
def test_a_name_that_no_file_could_have_is_refused(params, key):
    name = "v" * 81
    with pytest.raises(LowparamError, match=r"vvv… cannot be a name; write at most 80 characters, not 81"):
        params(**{key: {name: {}} if key == "variants" else [name] if key != "data" else name})


def test_an_experiment_that_is_to_run_twice_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({**MINIMAL, "replicate": ["rates", "rates"]}))
    with pytest.raises(LowparamError, match="replicate names 'rates' twice"):
        load(tmp_path / "params.yaml")


def test_names_of_timm_and_of_variants_may_have_points(params):
    read = params(
        mode="published",
        architectures=["timm:test_resnet.r160_in1k", "mobilenetv2_x0.5"],
        budgets=[],
        overrides={},
        variants={"lr0.01": {}},
    )
    assert [scale.name for scale in read.scales("rates")] == [
        "timm.test_resnet.r160_in1k@lr0.01-none-published",
        "mobilenetv2_x0.5@lr0.01-none-published",
    ]


def test_experiments_that_differ_in_case_alone_are_refused(tmp_path):
    values = {**MINIMAL, "experiments": {**MINIMAL["experiments"], "Rates": MINIMAL["experiments"]["rates"]}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    with pytest.raises(LowparamError, match="experiments: rates and Rates would share a folder"):
        load(tmp_path / "params.yaml")


TUNE = {"lr": [0.003, 0.01], "budget": "10k", "seeds": [100]}


def test_what_is_tuned_has_a_family_for_each_architecture_variant_and_probe(params):
    read = params(tune=TUNE, variants={"short": {"epochs": 3}, "same": {}}, overrides={}, probes=["none", "solu_s1"])
    families = read.families("rates")
    assert [scale.family for scale in families][:2] == ["mobilenetv1@short-none", "mobilenetv1@short-solu_s1"]
    assert len(families) == 8 and {scale.budget for scale in families} == {10_000}
    assert read.experiments["rates"].tune.combinations == [{"lr": 0.003}, {"lr": 0.01}]


def test_a_trial_has_its_values_and_its_length(params):
    read = params(tune={**TUNE, "weight_decay": [0.0, 0.1], "epochs": 3}, variants={}, overrides={})
    recipe = read.trial_recipe(read.families("rates")[0], {"lr": 0.003, "weight_decay": 0.1})
    assert (recipe.lr, recipe.weight_decay, recipe.epochs) == (0.003, 0.1, 3)
    assert read.recipe(read.scales("rates")[0], {"lr": 0.003}).epochs == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lrr": [1, 2]}, "tune: 'lrr' cannot be tuned; did you mean 'lr'?"),
        ({"loss": ["cross_entropy", "mse"]}, "tune: 'loss' cannot be tuned"),
        ({"lr": 0.01}, "tune: lr: write a list of at least two values to try, not 0.01"),
        ({"lr": [0.01]}, "tune: lr: write a list of at least two values"),
        ({"lr": [0.01, 0.003]}, "tune: lr: write the values in rising order, [0.003, 0.01]"),
        ({"lr": [0.01, 0.01]}, "tune: lr has a value twice"),
        ({"lr": [-0.01, 0.01]}, "tune.lr: input should be greater than 0, not -0.01"),
        ({"budget": None}, "tune needs a budget, such as 25k"),
        ({"seeds": [0]}, "tune.seeds has 0, which is also a seed of the results; choose others, such as 100"),
        ({"budgets": ["10k"]}, "tune: 'budgets' cannot be tuned"),
        ({"seeds": [100, 100]}, "tune: seeds has 100 twice"),
    ],
)
def test_tuning_that_cannot_be_meant_is_refused(params, change, says):
    with pytest.raises(LowparamError, match=r"experiments\.rates") as refused:
        params(tune={**TUNE, **change}, variants={}, overrides={})
    assert says in str(refused.value)


def test_a_value_is_either_tuned_or_set(params):
    with pytest.raises(LowparamError, match=r"variants\.slow\.lr is also tuned; remove one of the two"):
        params(tune=TUNE, overrides={})
    with pytest.raises(LowparamError, match=r"tune has no budget in published mode"):
        params(tune=TUNE, mode="published", budgets=[], architectures=["mobilenetv1_x0.25"], variants={}, overrides={})


def test_tuning_without_a_value_to_try_is_refused(params):
    with pytest.raises(LowparamError, match="a recipe key with values to try is missing, such as lr"):
        params(tune={"budget": "10k", "seeds": [100]}, variants={}, overrides={})
