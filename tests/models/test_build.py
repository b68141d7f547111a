"""From params.yaml to a network."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lowparam import params as parameters
from lowparam.errors import LowparamError
from lowparam.models import network_for, width_for
from lowparam.models.cost import count_parameters

TEXT = """
data:
  digits: {{source: digits, split: {{train: 0.6, validation: 0.15, test: 0.25}}}}
recipes:
  quick: {{epochs: 1, batch_size: 64, lr: 0.1}}
experiments:
  one: {{data: digits, recipe: quick, probes: [none], seeds: [0], {experiment}}}
replicate: [one]
"""
IMAGES = {"classes": 10, "in_channels": 1, "size": 8}


def load(tmp_path: Path, experiment: str) -> parameters.Params:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.format(experiment=experiment))
    return parameters.load(path)


def spec_of(tmp_path: Path, experiment: str) -> dict:
    params = load(tmp_path, experiment)
    return parameters.run_spec(params, params.runs("one")[0])


def test_controlled_mode_solves_the_width_for_the_budget(tmp_path):
    spec = spec_of(tmp_path, "architectures: [mobilenetv2], budgets: [25k], divisor: 2, minimum_width: 6, depth: 3")
    net = network_for(spec, **IMAGES)
    assert count_parameters(net).total == pytest.approx(25_000, rel=0.02)
    assert all(row[-1].out_channels % 2 == 0 for row in net.stages)
    assert [len(row) for row in net.stages] == [3, 3, 3]
    assert width_for(spec, **IMAGES) * 256 % 1 == 0


def test_the_counting_says_what_the_budget_counts(tmp_path):
    spec = spec_of(tmp_path, "architectures: [mobilenetv2], budgets: [25k], counting: body")
    assert count_parameters(network_for(spec, **IMAGES)).body == pytest.approx(25_000, rel=0.02)


def test_published_mode_takes_the_network_by_name(tmp_path):
    spec = spec_of(tmp_path, "mode: published, architectures: [mobilenetv2_x0.1]")
    net = network_for(spec, classes=10, in_channels=3, size=32)
    assert count_parameters(net).total == 98_890
    assert width_for(spec, **IMAGES) is None


def test_published_mode_takes_networks_of_timm(tmp_path):
    spec = spec_of(tmp_path, "mode: published, architectures: ['timm:test_efficientnet']")
    assert network_for(spec, **IMAGES)(torch.rand(2, 1, 8, 8)).shape == (2, 10)


def test_the_same_seed_gives_the_same_weights(tmp_path):
    spec = spec_of(tmp_path, "architectures: [convnext], budgets: [25k]")
    weights = []
    for _ in range(2):
        torch.manual_seed(3)
        weights.append(network_for(spec, **IMAGES).state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_published_scale_has_no_budget_and_a_folder_without_a_colon(tmp_path):
    params = load(tmp_path, "mode: published, architectures: ['timm:mobilevit_xxs', mobilenetv2_x0.5]")
    names = [scale.name for scale in params.scales("one")]
    assert names == ["timm.mobilevit_xxs-none-published", "mobilenetv2_x0.5-none-published"]
    assert {scale.budget for scale in params.scales("one")} == {None}


def test_the_statement_of_a_published_run_leaves_out_what_does_not_determine_it(tmp_path):
    controlled = spec_of(tmp_path, "architectures: [mobilenetv2], budgets: [25k]")
    published = spec_of(tmp_path, "mode: published, architectures: [mobilenetv2_x0.5]")
    assert controlled.keys() - published.keys() == {"counting", "depth", "divisor", "minimum_width"}


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (
            "mode: published, architectures: [mobilenetv2_x0.5], budgets: [25k]",
            "budgets must be empty in published mode",
        ),
        ("architectures: ['timm:resnet18'], budgets: [25k]", "timm:resnet18 has a size of its own"),
        ("architectures: [mobilenetv2]", "budgets is missing"),
    ],
)
def test_a_mode_and_sizes_that_do_not_fit_are_refused(tmp_path, experiment, message):
    with pytest.raises(LowparamError, match=message):
        load(tmp_path, experiment)


def test_other_runs_do_not_wait_for_timm(tmp_path):
    spec = spec_of(tmp_path, "architectures: [mobilenetv2], budgets: [25k]")
    code = "import sys; from lowparam.models import network_for; "
    code += f"network_for({spec!r}, **{IMAGES!r}); print('timm' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
