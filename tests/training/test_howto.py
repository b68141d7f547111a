"""The pages on losses and penalties are right: one new file and one line train with it, and nothing else is stale."""

import pytest

from howto import follow

CODE = """
import torch
from lowparam import params, registry, runs
from lowparam.models import network_for
from lowparam.training import losses, penalties

chosen = params.load()
scales = {scale.variant: scale for scale in chosen.scales("digits") if scale.architecture == "mobilenetv2"}
recipe = chosen.recipe(scales[VARIANT])
spec = params.run_spec(chosen, params.Run(scales[VARIANT], 0))
net = network_for(spec, classes=10, in_channels=1, size=8)
logits, labels = net(torch.rand(8, 1, 8, 8)), torch.arange(8)
loss, penalty = losses.make(recipe)(logits, labels), penalties.make(recipe, net)
(loss + (penalty() if penalty else 0.0)).backward()
assert all(p.grad is not None for p in net.parameters())
print(loss.item(), penalty and penalty().item())
print(len({runs.code_of_training(chosen, scale) for scale in scales.values()}), "identities")
"""
IDENTITIES = """
from lowparam import params, runs
chosen = params.load()
print(*(runs.code_of_training(chosen, scale) for scale in chosen.scales("solu")), sep="\\n")
"""


@pytest.mark.parametrize(("page", "variant"), [("loss", "focal"), ("penalty", "p1")])
def test_one_new_file_and_one_line_train_with_it(page, variant, tmp_path):
    done = follow(page, tmp_path / "after")
    assert len(done.files) == 1 and done.lines.count("\n") == 1
    output = done.run("python", "-c", f"VARIANT = {variant!r}\n{CODE}")
    assert output.splitlines()[1] == "2 identities"
    if page == "penalty":
        assert float(output.split()[1]) > 0
    assert done.run("lowparam", "check", "digits").startswith("digits: 72 scales")
    before = follow(page, tmp_path / "before", apply=False)
    assert done.run("python", "-c", IDENTITIES) == before.run("python", "-c", IDENTITIES)


def test_focal_loss_without_focus_is_cross_entropy(tmp_path):
    code = (
        "import torch; from lowparam import registry\n"
        "logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])\n"
        "focal = registry.load('training/losses', 'focal').make(gamma=0.0)\n"
        "assert torch.allclose(focal(logits, labels), torch.nn.functional.cross_entropy(logits, labels))\n"
    )
    follow("loss", tmp_path).run("python", "-c", code)


def test_an_unknown_loss_option_or_penalty_is_one_line(tmp_path):
    code = (
        "from lowparam.params import Recipe\nfrom lowparam.errors import LowparamError\n"
        "from lowparam.training import losses, penalties\n"
        "recipe = {'epochs': 1, 'batch_size': 1, 'lr': 0.1}\n"
        "for change in ({'loss': 'focl'}, {'loss_options': {'gama': 1.0}}, {'penalties': {'sparsty': 1.0}}):\n"
        "    try:\n"
        "        made = Recipe(**recipe, **change)\n"
        "        losses.make(made), penalties.make(made, None)\n"
        "    except LowparamError as error:\n"
        "        print(error)\n"
    )
    lines = follow("loss", tmp_path).run("python", "-c", code).splitlines()
    assert lines[0] == "no 'focl' in lowparam/training/losses; did you mean 'focal'?"
    assert lines[1].startswith("recipe key loss_options: cross_entropy:") and "gama" in lines[1]
    assert lines[2].startswith("no 'sparsty' in lowparam/training/penalties")
