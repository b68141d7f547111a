"""Measures of whole networks have their exact values on networks that are linear, white, or known."""

import numpy as np
import pytest
import torch
from torch import nn

import lowparam
from lowparam.errors import LowparamError
from lowparam.interference.context import Context
from lowparam.interference.held_out import GivenImages, held_out
from lowparam.interference.measures import (
    concept_count,
    effective_parameters,
    first_layer,
    linear_interpreter,
    path_length,
)
from lowparam.models.blocks import Block, Site
from lowparam.params import Profile

SETTINGS = Profile(images=200, folds=5, null_draws=50)


class Plain(nn.Module):
    """Layers, a mean over positions, and a linear classifier."""

    def __init__(self, *layers: nn.Module, channels: int, classes: int = 4, bias: bool = True) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes, bias=bias)

    def forward(self, x):
        return self.classifier(self.layers(x).mean((2, 3)))

    def sites(self):
        return {"layers.stream": Site("stream", self.layers)}


def given(images: torch.Tensor, classes: int = 4) -> GivenImages:
    return GivenImages(images, torch.arange(len(images)) % classes, [str(k) for k in range(classes)])


def values(module, net: nn.Module, images: GivenImages) -> dict[str, object]:
    net.eval()
    return {value.measure: value for value in module.measure(Context(net, net.sites(), images, SETTINGS))}


def smooth(count: int = 200) -> torch.Tensor:
    torch.manual_seed(0)
    return nn.functional.avg_pool2d(torch.randn(count, 1, 12, 12), 3, stride=1)


def test_filters_that_whiten_the_patches_fit_the_end_of_training_and_those_of_their_spectrum_its_start():
    images = smooth()
    conv = nn.Conv2d(1, 9, 3, bias=False)
    components, deviations = first_layer.patch_components(images, conv)
    for power, time in ((-1, 3.0), (1, -3.0)):
        with torch.no_grad():
            conv.weight.copy_((components * deviations[:, None] ** power).view(9, 1, 3, 3))
        found = values(first_layer, Plain(conv, channels=9), given(images))
        assert found["stem_whitening"].value == pytest.approx(1, abs=1e-3)
        assert found["stem_time"].value == pytest.approx(time, abs=0.5)
        assert found["stem_whitening"].null < 0.9


def test_random_filters_fit_by_chance_as_often_as_their_null():
    torch.manual_seed(1)
    images = given(smooth())
    found = [values(first_layer, Plain(nn.Conv2d(1, 16, 3), channels=16), images) for _ in range(5)]
    z = [value["stem_whitening"].z for value in found]
    assert abs(np.mean(z)) < 1.5


def test_a_map_of_two_concepts_needs_two_and_all_channels_lose_nothing():
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(300, 2, generator=generator) @ torch.rand(2, 16, generator=generator)
    assert concept_count.factored(rows.double().numpy(), 2) == pytest.approx(rows.numpy(), abs=0.02)
    assert concept_count.principal(rows.double().numpy(), 2) == pytest.approx(rows.numpy(), abs=1e-5)
    weight = torch.rand(16, 2, generator=generator)
    conv = nn.Conv2d(2, 16, 1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(weight[:, :, None, None])
    net = Plain(conv, nn.ReLU(), channels=16, classes=2)
    images = torch.rand(100, 2, 4, 4, generator=generator)
    with torch.no_grad():
        labels = net(images).argmax(1)
    found = values(concept_count, net, GivenImages(images, labels, ["a", "b"]))
    assert found["concepts_needed"].value <= 2 / 16 and found["components_needed"].value <= 2 / 16
    signed = values(concept_count, Plain(nn.Conv2d(2, 16, 1), nn.GELU(), channels=16), given(images))
    assert "no rectified map" in signed["concepts_needed"].note


def test_the_gradients_of_a_linear_classifier_are_those_of_its_images():
    torch.manual_seed(0)
    images = torch.randn(16, 5, 1, 1)
    net = Plain(nn.Identity(), channels=5, classes=4, bias=False)
    found = values(effective_parameters, net, given(images))
    # J J' is the Gram matrix of the images times the centring of the classes: ranks and ratios multiply.
    gram = torch.linalg.eigvalsh((images.flatten(1) @ images.flatten(1).T).double()).clamp(min=0)
    expected = effective_parameters.participation(gram) * 3 / 20  # at most 20 parameters
    assert found["effective_parameters"].value == pytest.approx(expected.item(), rel=1e-5)
    assert found["jacobian_rank"].value == pytest.approx(15 / 20)
    assert found["hessian_rank"].value == pytest.approx(15 / 20)  # convex in 4 classes less their mean
    assert found["hessian_negative"].value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("sizes", "expected"), [((8, 5, 3), 45), ((8, 2, 3), 22), ((6, 4, 4), 40)])
def test_the_hessian_of_a_linear_network_has_the_rank_of_the_formula(sizes, expected):
    """Singh, Bachmann & Hofmann 2021: 2qM + 2qs - (L + 1) q^2 + (r + K - q) q + q (q - 2s), one hidden layer, L = 1."""
    d, m, k = sizes
    q, s = min(d, m, k), min(d, k)
    assert 2 * q * m + 2 * q * s - 2 * q**2 + (d + k - q) * q + q * (q - 2 * s) == expected
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(d, m, bias=False), nn.Linear(m, k, bias=False)).double()
    x, y = torch.randn(200, d).double(), torch.randn(200, k).double()
    matrix = effective_parameters.hessian(net, lambda outputs: (outputs - y).square().mean(), x)
    assert effective_parameters.rank(torch.linalg.eigvalsh(matrix)) == expected
    first, step = net[1].weight, 1e-4  # one entry against finite differences
    numeric = []
    for sign in (1, 0, -1):
        with torch.no_grad():
            first[0, 0] += sign * step
            numeric.append((net(x) - y).square().mean().item())
            first[0, 0] -= sign * step
    second = (numeric[0] - 2 * numeric[1] + numeric[2]) / step**2
    assert matrix[d * m, d * m].item() == pytest.approx(second, rel=1e-3)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Hardswish(), nn.Tanh()])
def test_a_network_without_biases_is_its_linear_map_at_every_image(activation):
    torch.manual_seed(0)
    net = Plain(
        nn.Conv2d(2, 6, 3, bias=False), activation, nn.Conv2d(6, 6, 1, bias=False), activation, channels=6, bias=False
    ).eval()
    images = torch.randn(8, 2, 6, 6)
    maps, linear, logits = linear_interpreter.interpret(net, images, 4)
    torch.testing.assert_close(linear, logits, atol=1e-5, rtol=1e-4)
    found = values(linear_interpreter, net, given(images))
    assert found["bias_share"].value == pytest.approx(0, abs=1e-8)
    if isinstance(activation, nn.ReLU):  # then the map is the gradient, and does not change with the scale of an image
        again = linear_interpreter.interpret(net, 2 * images, 4)[0]
        torch.testing.assert_close(again, maps)
        x = images.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(net(x)[:, 1].sum(), x)
        torch.testing.assert_close(maps[:, 1], gradient.flatten(1).double(), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("architecture", ["starnet", "convnext", "mobilenetv1"])
def test_products_and_layer_norms_are_fixed_too(architecture):
    torch.manual_seed(0)
    net = lowparam.create_model(architecture, budget="10k", classes=4, in_channels=1, size=8).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
        images = torch.randn(4, 1, 8, 8)
    _, linear, logits = linear_interpreter.interpret(net, images, 4)
    torch.testing.assert_close(linear, logits, atol=1e-4, rtol=1e-3)
    assert torch.equal(net(images).double(), logits)  # the values are those of the network


def test_logits_of_biases_alone_are_all_bias():
    torch.manual_seed(0)
    net = Plain(nn.Conv2d(1, 4, 1), nn.ReLU(), channels=4)
    with torch.no_grad():
        net.layers[0].weight.zero_(), net.layers[0].bias.fill_(1.0)
    images = given(torch.randn(40, 1, 4, 4))
    assert values(linear_interpreter, net, images)["bias_share"].value == pytest.approx(1)


def test_a_path_meets_the_activations_of_a_plain_network_and_half_of_those_with_a_shortcut(digits, untrained):
    torch.manual_seed(0)
    images = given(torch.randn(100, 3, 4, 4))
    bent = Plain(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU(), channels=8)
    assert values(path_length, bent, images)["path_length"].value == pytest.approx(2, abs=0.5)
    with torch.no_grad():
        bent.layers[0].bias.fill_(50.0)  # then the first activation is linear
        bent.layers[2].bias.fill_(500.0)
    found = values(path_length, bent, images)["path_length"]
    assert found.value == 0 and found.null == 2
    net = untrained("mobilenetv2", digits)
    context = Context(net, net.sites(), held_out(digits, 100), SETTINGS)
    (found,) = path_length.measure(context)
    shortcuts = sum(block.residual for block in net.modules() if isinstance(block, Block))
    assert found.null == 1 + 6 * 2 - shortcuts  # two activations a block, each met by half of the paths
    assert shortcuts > 0 and 0 < found.value <= found.null


def test_all_are_added_to_the_profile_of_a_network_of_ones_own_by_name():
    torch.manual_seed(0)
    net = lowparam.create_model("mobilenetv1", budget="5k", classes=4, in_channels=1, size=8)
    images, labels = torch.randn(80, 1, 8, 8), torch.arange(80) % 4
    added = ["layer_similarity", "class_geometry", "coding_rate", "first_layer", "effective_parameters"]
    added += ["concept_count", "linear_interpreter", "path_length"]
    table = lowparam.profile(net, images, labels, measures=added)
    wanted = {"similarity_to_previous", "log_nc1", "coding_rate", "stem_whitening", "path_length", "bias_share"}
    wanted |= {"effective_parameters", "concepts_needed", "class_image_dimensionality"}
    assert wanted <= set(table.dropna(subset="value")["measure"])
    for wrong, message in ((["layer_similarty"], "did you mean 'layer_similarity'"), ("stride", "must be a list")):
        with pytest.raises(LowparamError, match=message):
            lowparam.profile(net, images, labels, measures=wrong)
