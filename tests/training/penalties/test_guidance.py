import copy
import weakref

import pytest
import torch
from torch import nn

from lowparam.errors import LowparamError
from lowparam.interference.measures import layer_similarity
from lowparam.models.layers.fast import accelerate
from lowparam.models.skeletons import published
from lowparam.models.skeletons.controlled import build
from lowparam.params import Recipe
from lowparam.training.loop import Training
from lowparam.training.penalties import guidance
from lowparam.training.penalties.guidance import cka, partners, untrained_guide
from quick import RECIPE


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def images(count: int = 24, channels: int = 1, size: int = 8) -> torch.Tensor:
    return random(count, channels, size, size, dtype=torch.float32)


def network(architecture: str = "mobilenetv2") -> nn.Module:
    torch.manual_seed(0)
    return build(architecture, 6.0, classes=10, in_channels=1, size=8)


def distance(net: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    penalty = guidance.make(net)
    net(batch)
    return penalty()


def test_similarity_is_1_for_a_rotated_and_scaled_copy_and_that_of_the_measure_for_others():
    maps, other = random(20, 6), random(20, 3, 2, 2, seed=1)
    rotation = torch.linalg.qr(random(6, 6, seed=2)).Q
    assert cka(maps, 3 * maps @ rotation + 5).item() == pytest.approx(1)
    assert cka(maps, other).item() == pytest.approx(layer_similarity.cka(maps, other.flatten(1)))
    assert cka(1e-9 * maps, other).item() == pytest.approx(cka(maps, other).item())  # as those of an untrained guide


def test_unrelated_maps_of_more_values_than_images_have_none_on_average():
    drawn = [cka(random(16, 500, seed=seed), random(16, 500, seed=100 + seed)).item() for seed in range(40)]
    assert sum(drawn) / 40 == pytest.approx(0, abs=0.05)  # the biased form has 0.97


def test_the_gradient_is_that_of_finite_differences_and_that_of_a_dead_map_is_finite():
    maps, other = random(6, 3, 2, 2).requires_grad_(), random(6, 5, seed=1)
    assert torch.autograd.gradcheck(cka, (maps, other))
    dead = torch.zeros(6, 4, requires_grad=True)
    assert cka(dead, other.float()).item() == 0
    cka(dead, other.float()).backward()
    assert dead.grad.isfinite().all()


def test_a_network_that_is_the_guide_costs_nothing_and_another_costs_one_minus_the_similarity_of_each_block():
    batch = images()
    same = untrained_guide(batch).train()
    for module in same.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # as in the guide
    assert distance(same, batch).item() == pytest.approx(0, abs=1e-4)

    net, guide = network("mobilenetv1"), untrained_guide(batch)
    mine, theirs = (each.stem(batch) for each in (copy.deepcopy(net), guide))
    total = 0.0
    for block, other in zip(copy.deepcopy(net).stages.modules(), guide.stages.modules(), strict=True):
        if hasattr(block, "branch"):
            mine, theirs = block(mine), other(theirs)
            total += 1 - layer_similarity.cka(mine.flatten(1), theirs.flatten(1))
    assert distance(net, batch).item() == pytest.approx(total, rel=1e-4)


def test_layers_are_paired_by_even_spacing():
    assert partners(6, 6) == [0, 1, 2, 3, 4, 5]
    assert partners(6, 3) == [0, 0, 1, 1, 2, 2]
    assert partners(6, 9) == [0, 2, 3, 5, 6, 8]


def test_the_guide_is_always_the_same_draws_nothing_and_gets_no_gradient():
    net = network()
    torch.manual_seed(5)
    expected, penalty = torch.rand(3), guidance.make(net)
    torch.manual_seed(5)
    net(images())
    penalty().backward()
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(6)
    one, other = untrained_guide(images()), untrained_guide(images())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert not any(parameter.requires_grad for parameter in one.parameters())
    assert net.stem.conv.weight.grad.abs().sum() > 0
    assert net.state_dict().keys() == network().state_dict().keys()


@pytest.mark.parametrize("architecture", ["mobilenetv1", "mobilenetv2", "mobilenetv3", "convnext"])
def test_fast_and_compiled_layers_show_the_same_maps(architecture):
    plain, fast = network(architecture), network(architecture)
    accelerate(fast)
    assert distance(fast, images()).item() == pytest.approx(distance(plain, images()).item(), rel=1e-4)


def test_an_evaluation_keeps_no_map_alive_and_a_penalty_lets_go_of_those_that_it_read():
    net, alive = network(), []
    penalty = guidance.make(net)
    net.stages[0][0].register_forward_hook(lambda module, args, output: alive.append(weakref.ref(output)))
    with torch.no_grad():
        net.eval()(images())
    net.train()(images())
    penalty().detach()
    assert [reference() for reference in alive] == [None, None]


def test_bfloat16_maps_are_compared_in_float32():
    net = network()
    penalty = guidance.make(net)
    with torch.autocast("cpu", torch.bfloat16):
        net(images())
    cost = penalty()
    assert cost.dtype == torch.float32
    assert cost.item() == pytest.approx(distance(network(), images()).item(), rel=0.02)


def test_a_batch_of_less_than_four_images_costs_nothing():
    assert distance(network(), images(3)).item() == 0
    assert distance(network(), images(4)).isfinite()


def test_published_networks_have_guides_and_one_without_streams_is_refused():
    net = published.build("mobilenetv2_x0.1", classes=10, in_channels=3, size=32)
    assert 0 < distance(net, images(8, 3, 32)).item() < 7
    net.sites = dict
    with pytest.raises(LowparamError, match=r"penalties\.guidance: the streams of this architecture are not known"):
        guidance.make(net)


def training(dataset, weight: float | None, epochs: int = 4) -> Training:
    penalties = {} if weight is None else {"guidance": weight}
    recipe = Recipe.model_validate({**RECIPE, "epochs": epochs, "penalties": penalties})
    return Training(network(), dataset, recipe, seed=0, device=torch.device("cpu"))


def finish(run: Training) -> dict[str, torch.Tensor]:
    while not run.finished:
        run.run_epoch()
    states = {"net": run.net.state_dict(), "average": run.average.state_dict()}
    return {f"{which}.{name}": value.clone() for which, state in states.items() for name, value in state.items()}


def test_a_weight_of_0_changes_no_bit(dataset):
    plain, without = finish(training(dataset, None, 2)), finish(training(dataset, 0.0, 2))
    assert all(torch.equal(plain[name], without[name]) for name in plain)


def test_a_dose_moves_the_network_towards_the_guide_and_resumes_to_the_same_bits(dataset):
    batch = dataset.normalise(dataset.train.pixels[:100])
    without, dosed = training(dataset, 0.0), training(dataset, 1.0)
    finish(without), dosed.run_epoch(), dosed.run_epoch()
    names = ("net", "average", "optimizer")
    state = {name: copy.deepcopy(getattr(dosed, name).state_dict()) for name in names}
    end = finish(dosed)
    assert distance(dosed.net.train(), batch) < 0.8 * distance(without.net.train(), batch)
    resumed = training(dataset, 1.0)
    for name in names:
        getattr(resumed, name).load_state_dict(state[name])
    resumed.epoch = 2
    resumed.go_to_step(2 * resumed.steps_per_epoch)
    again = finish(resumed)
    assert all(torch.equal(end[name], again[name]) for name in end)
