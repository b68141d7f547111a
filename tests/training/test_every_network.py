"""Every block, and the networks that have none: a training resumes bit for bit, and its profile runs."""

import pytest
import torch

from lowparam.interference.profile import profile_run
from lowparam.models import blocks
from lowparam.models.skeletons import controlled, published
from lowparam.params import Augment, Profile, Recipe
from lowparam.training import checkpoint
from lowparam.training.loop import Training

ALONE = ("irevnet_d2_r4", "msdnet_l50_w1_d4", "nasnet_f4_n1")
"""Networks without a block for the skeleton."""
QUICK = ("mobilenetv2",)
NETWORKS = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in [*blocks.names(), *ALONE]]
SHAPE = {"classes": 10, "in_channels": 1, "size": 8}


def training(name, dataset, cpu):
    torch.manual_seed(0)
    net = published.build(name, **SHAPE) if name in ALONE else controlled.build(name, 6.0, depth=1, **SHAPE)
    recipe = Recipe(epochs=2, batch_size=50, lr=0.01, weight_decay=0.05, augment=Augment(crop_padding=1))
    return Training(net, dataset, recipe, seed=0, device=cpu)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_resumed_training_has_the_same_bits_and_can_be_profiled(name, dataset, cpu, tmp_path):
    whole, stopped, resumed = (training(name, dataset, cpu) for _ in range(3))
    whole.run_epoch()
    whole.run_epoch()
    stopped.run_epoch()
    checkpoint.save(stopped, tmp_path, {})
    assert checkpoint.restore(resumed, tmp_path, {})
    resumed.run_epoch()
    expected, found = whole.net.state_dict(), resumed.net.state_dict()
    assert [*expected] == [*found]
    assert [key for key in expected if not torch.equal(expected[key], found[key])] == []
    assert resumed.history == whole.history

    profile = profile_run(whole.net, dataset, Profile(images=50, folds=4, null_draws=10))
    sites = set(whole.net.sites())
    assert set(profile["site"].dropna()) - {""} >= sites
    assert profile["value"].notna().any() and profile[profile["value"].isna()]["note"].ne("").all()
