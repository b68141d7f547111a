"""What a user gets wrong ends in one line that names it, before anything runs."""

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from lowparam import waiting
from lowparam.cli import app
from workspace import ROOT, Workspace, small_params

SETTINGS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("params.yaml", "recipes.yaml")}


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Workspace:
    """A folder with the project's params.yaml and nothing else; the tests are in it, and no wait is told of."""
    monkeypatch.setattr(waiting, "LINE_AFTER", 1e6)
    for name, text in SETTINGS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(waiting, "LINE_AFTER", 3600.0)  # a busy machine says that it waits, which is no answer
    return Workspace(tmp_path)


def refused(*command: str) -> str:
    """Run a command that must fail without a traceback, and return the one line that it printed."""
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in (1, 2), result.output
    assert result.output.count("\n") == 1, result.output
    assert result.output.startswith("lowparam: ")
    return result.output


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("lr: 0.02", "lr: -0.02", "recipes.yaml: digits.lr: input should be greater than 0, not -0.02"),
        (
            "lr: 0.02",
            "lr: '1e-3'",
            "input should be a valid number, not '1e-3'; write it without quotes: 0.001",
        ),
        ("lr: 0.02", "lr: .5e-1.", "recipes.yaml: digits.lr: input should be a valid number, not '.5e-1.'"),
        ("lr: 0.02", "lr:", "recipes.yaml: digits.lr has no value"),
        ("lr: 0.02", "lr: 0.02\n  lr: 0.03", "recipes.yaml: lr is in line 10 and again in line 11; keep one of them"),
        ("lr: 0.02", "lr: .inf", "recipes.yaml: digits.lr: input should be a finite number, not .inf"),
        ("lr: 0.02", "lr: 0.02\n  clip_norm: .inf", "digits.clip_norm: input should be a finite number, not .inf"),
        ("lr: 0.02", "lr: 0.02\n  min_lr: 0.03", "recipes.yaml: digits: min_lr must not be above lr (0.02)"),
        ("lr: 0.02", "lr: 0.02\n  betas: [0.9]", "recipes.yaml: digits.betas has one item; it needs at least 2"),
        ("lr: 0.02", "lr: 0.02\n  betas: [0.8, 0.9, 0.9]", "digits.betas has 3 items; it takes at most 2"),
        ("lr: 0.02", "lr: 0.02\n  betas: []", "recipes.yaml: digits.betas is empty; it needs at least 2 items"),
        (
            "lr: 0.02",
            "lr: 0.02\n  augment: {crop_padding: 10000000}",
            "digits.augment.crop_padding: input should be less than or equal to 4096, not 10000000",
        ),
        ("lr: 0.02", "lr: 0.02\n  flip: true", "digits.flip is not a known key; flip belongs in augment"),
        ("lr: 0.02", "lr: 0.02\n  augment: {flip: yes}", "not 'yes'; write true or false"),
        ("lr: 0.02", "lr: 0.02\n  augment: {1: 2}", "digits.augment: YAML reads the name 1 as a number; quote it"),
        (
            "epochs: 20",
            "epochs: 2.0e2",
            "digits.epochs: input should be a valid integer, not 2.0e2; write 200",
        ),
        ("epochs: 20", "epochs: '20'", "input should be a valid integer, not '20'; write it without quotes: 20"),
        ("epochs: 20", f"epochs: {10**20}", "recipes.yaml: digits: epochs must fit into 64 bits"),
        ("epochs: 20", "epoch: 20", "recipes.yaml: digits.epoch is not a known key; did you mean 'epochs'?"),
        ("batch_size: 64", "batch_size: many", "recipes.yaml: digits.batch_size: input should be a valid integer"),
        (
            "budgets: [10k, 25k, 50k]",
            "budgets: [ten]",
            "'ten' is not a parameter count; write 25k, 1.5M or 25000",
        ),
        ("budgets: [10k, 25k, 50k]", "budgets: [50]", "cannot have 50 parameters within 2%: the nearest is"),
        ("seeds: [0, 1, 2, 3, 4]", "seeds: []", "experiments.digits.seeds is empty; it needs at least one item"),
        ("[mobilenetv1, mobilenetv2", "[mobilnetv1, mobilenetv2", "did you mean 'mobilenetv1'?"),
        ("probes: [none, solu_s1]", "probes: [none, solu]", "unknown probe 'solu'"),
        (
            "    data: digits",
            "    data: digit",
            "experiments.digits.data: 'digit' is not defined; did you mean 'digits'?",
        ),
        (
            "    data: digits",
            "    data: 1",
            'digits.data: input should be a valid string, not 1; quote it: "1"',
        ),
        ("  digits:\n    data: digits", "  1:\n    data: digits", "experiments: YAML reads the name 1 as a number"),
        ("  digits:\n    data: digits", "  :\n    data: digits", "experiments: YAML reads the name null as no value"),
        ("depth: 2", "depth: 10000000", "depth: input should be less than or equal to 200, not 10000000"),
        ("source: digits", "path: ~nouser/x, source: digits", "~nouser/x begins with a user whom this system does"),
        (
            "source: digits",
            "path: recipes.yaml, source: digits",
            "data.digits.path: recipes.yaml is a file; give a",
        ),
        (
            "source: digits",
            "size: 10000000, source: digits",
            "data.digits.size: input should be less than or equal to 4096",
        ),
        ("source: digits", "source: number", "data.digits.source: 'number' is unknown"),
        ("test: 0.25", "test: 0.5", "train, validation and test must add up to 1, not 1.25"),
    ],
)
def test_params_are_refused_in_one_line_that_names_the_key(empty, old, new, says):
    file = "recipes.yaml" if old in ("lr: 0.02", "epochs: 20", "batch_size: 64") else "params.yaml"
    assert old in SETTINGS[file]
    (empty.folder / file).write_text(SETTINGS[file].replace(old, new, 1), encoding="utf-8")
    assert says in refused("check")
    assert not (empty.folder / "results").exists()


def test_snakemake_refuses_them_in_one_line_too(workspace):
    text = SETTINGS["recipes.yaml"].replace("lr: 0.02", "lr: -0.02")
    (workspace.folder / "recipes.yaml").write_text(text, encoding="utf-8")
    output = workspace.snakemake("--dry-run", fails=True)
    assert "lowparam: recipes.yaml: digits.lr: input should be greater than 0, not -0.02\n" in output
    assert "Traceback" not in output


def test_snakemake_checks_the_experiments_that_were_named_and_no_others(tmp_path):
    workspace = Workspace.of_this_repository(tmp_path)
    params = small_params()
    params["experiments"]["digits_more"] = params["experiments"]["digits"]
    params["experiments"]["digits"] = params["experiments"]["digits"] | {"architectures": ["digitnet"]}
    workspace.write(params)
    workspace.snakemake("--dry-run", "results/digits_more/runs.csv")
    output = workspace.snakemake("--dry-run", "results/digits_more/runs.csv", "results/digits/runs.csv", fails=True)
    assert "unknown architecture 'digitnet'" in output


WRONG = [
    ("prepare mnist", "unknown data set 'mnist'; known are digits"),
    ("baseline nope", "params.yaml has no experiment 'nope'"),
    ("baseline digits", "results/data/digits has no prepared data; run: lowparam prepare digits"),
    ("check digits nope", "params.yaml has no experiment 'nope'"),
    ("plan nope", "params.yaml has no experiment 'nope'"),
    ("plan digits --cores 0", "invalid value for '--cores'"),
    ("plan digits --cores many", "invalid value for '--cores'"),
    ("models nope", "unknown architecture 'nope'"),
    ("models mobilenetv2 --budget ten", "--budget: 'ten' is not a parameter count"),
    ("models mobilenetv2 --size 0", "invalid value for '--size'"),
    ("models mobilenetv2 --probe nope", "unknown probe 'nope'"),
    ("models mobilenetv2_x0.5 --classes 1000000000000", "not enough memory"),
    ("models mobilenetv2_x0.5 --channels 1000000000", "not enough memory"),
    ("models --sort nope", "--sort: no column 'nope'"),
    ("models --below ten", "--below: 'ten' is not a parameter count"),
    ("train digit mobilenetv2-none-25k", "params.yaml has no experiment 'digit'"),
    (
        "train digits mobilenetv2-none-25",
        "unknown scale of digits 'mobilenetv2-none-25'; did you mean 'mobilenetv2-none-25k'?",
    ),
    ("train digits mobilenetv2-none-25k", "results/data/digits has no prepared data"),
    ("train digits mobilenetv2-none-25k --processes 0", "invalid value for '--processes'"),
    (
        "train digits mobilenetv2-none-25k --device nope",
        "invalid value for '--device': 'nope' is no device; write cpu, cuda or cuda:0",
    ),
    (
        "tune digits mobilenetv2-none --device cpu:5",
        "invalid value for '--device': 'cpu:5' is no device; write cpu, cuda or cuda:0",
    ),
    (
        "profile digits mobilenetv2-none-25k --device cuda:99",
        "invalid value for '--device': cuda:99 is not here: PyTorch sees",
    ),
    (
        "inspect timm:resnet18 --data nope --out out --device mps",
        "invalid value for '--device': 'mps' is no device; write cpu, cuda",
    ),
    ("tune cifar100 nope", "experiments.cifar100 has no tune"),
    ("tune digits nope", "unknown architecture with a probe in digits 'nope'"),
    ("profile digits nope", "unknown scale of digits 'nope'"),
    ("inspect timm:resnet18 --out out", "missing option '--data'"),
    ("inspect timm:resnet18 --data nope --out out", "--data: nope is no folder of prepared data"),
    ("collect digits", "seed0/metrics.json does not exist; run: lowparam train digits mobilenetv1-none-10k"),
    ("report nope", "unknown experiment or study 'nope'"),
    ("report digits", "results/digits/runs.csv does not exist; run: lowparam collect digits"),
    ("claims nope", "unknown experiment or study with claims 'nope'"),
    ("claims digits", "results/digits/runs.csv does not exist; run: lowparam run digits"),
    ("tables digits nope", "unknown table of digits 'nope'; known are accuracy"),
    ("figures digits nope", "unknown figure of digits 'nope'; known are accuracy"),
    ("page nope", "unknown experiment or study with claims 'nope'"),
    ("page digits", "results/digits/claims.csv does not exist"),
    ("overview", "no experiment has verdicts yet"),
    ("study nope", "unknown study 'nope'; known are star, toy"),
    ("study star nope", "unknown part of study star 'nope'; known are dimension, moons"),
    ("bilinear digits", "results/data/digits has no prepared data"),
    ("record nope digits", "unknown stage 'nope'; known are data, tune, train, profile, deploy, report"),
    ("record data nope", "unknown data set 'nope'"),
    ("record train nope", "params.yaml has no experiment 'nope'"),
    ("dvc-files nope", "params.yaml has no experiment 'nope'"),
    ("schema nope", "no schema of 'nope'; known are params.yaml and recipes.yaml"),
    ("nope", "no such command 'nope'"),
]


@pytest.mark.parametrize(("command", "says"), WRONG, ids=[command for command, _ in WRONG])
def test_commands_refuse_in_one_line(empty, command, says):
    assert says in refused(*command.split())
    assert not (empty.folder / "results").exists()


@pytest.mark.parametrize("name", sorted(get_command(app).commands))
def test_every_command_refuses_what_it_does_not_take_in_one_line(empty, name):
    command = get_command(app).commands[name]
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    required = [each for each in command.params if each.required]
    if required:
        assert "missing" in refused(name)
    if command.context_settings.get("ignore_unknown_options"):  # snakemake's own
        return
    given = [word for each in required if each not in arguments for word in (each.opts[0], "x")]
    given += ["x" for _ in arguments]
    assert "no such option: --nope" in refused(name, *given, "--nope")
    if not any(each.nargs == -1 for each in arguments):
        assert "unexpected extra argument" in refused(name, *given, "y")


def test_a_missing_params_yaml_is_named_and_the_exit_code_tells(tmp_path):
    output = Workspace(tmp_path).run("lowparam", "check", fails=True)
    assert output == "lowparam: params.yaml does not exist; run this in the folder that has it\n"


def test_every_command_explains_itself():
    listing = CliRunner().invoke(app, ["--help"]).output
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        assert name in listing
        page = CliRunner().invoke(app, [name, "--help"])
        assert page.exit_code == 0
        assert command.callback.__doc__.split(".")[0].split()[0] in page.output
