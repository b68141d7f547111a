from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from lowparam import data, params
from lowparam.data import Dataset, Images
from lowparam.errors import LowparamError
from lowparam.models import network_for
from lowparam.models.skeletons import controlled, published
from lowparam.report.context import Context
from lowparam.report.tables import bilinear
from lowparam.studies.star.bilinear import (
    analyse_network,
    block_interactions,
    decompose,
    interactions,
    is_bilinear,
    write_bilinear,
)

PARAMS = """
data: {small: {source: digits, split: {train: 0.5, validation: 0.25, test: 0.25}}}
recipes: {short: {epochs: 1, batch_size: 8, lr: 0.01}}
replicate: [small]
experiments:
  small:
    data: small
    recipe: short
    architectures: [%s]
    probes: [none]
    budgets: [5k]
    seeds: [0, 1]
"""


def randomised(architecture, seed=0, **options):
    """A controlled network whose layer scales and biases are not the small numbers they start from."""
    torch.manual_seed(seed)
    net = controlled.build(architecture, 6.0, classes=4, in_channels=1, size=8, **options)
    for name, parameter in net.named_parameters():
        if "gamma" in name or "bias" in name:
            torch.nn.init.normal_(parameter)
    return net.eval()


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 4, (40,), generator=generator)
    part = Images(pixels, labels)
    return Dataset(
        part, part, part, classes=list("abcd"), mean=torch.tensor([127.0]), std=torch.tensor([70.0]), sha256=""
    )


def test_eigenvectors_reproduce_a_star_layer():
    torch.manual_seed(0)
    first, second = torch.nn.Linear(12, 30).double(), torch.nn.Linear(12, 30).double()
    directions, x = torch.randn(5, 30).double(), torch.randn(100, 12).double()
    matrices = interactions(
        first.weight, second.weight, directions, first_bias=first.bias, second_bias=second.bias
    ).detach()
    truth = ((first(x) * second(x)) @ directions.T).detach()
    spectrum = decompose(matrices)
    torch.testing.assert_close(matrices, matrices.mT)
    torch.testing.assert_close(spectrum.evaluate(x), truth, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(spectrum.evaluate(x, terms=12), truth, rtol=1e-3)


def test_without_bias_the_constant_takes_no_part():
    torch.manual_seed(0)
    matrices = interactions(torch.randn(9, 4), torch.randn(9, 4), torch.randn(2, 9))
    assert (matrices[:, -1] == 0).all() and (matrices[:, :, -1] == 0).all()


def test_eigenvectors_reproduce_a_block_to_a_millionth():
    net = randomised("demonet_star_noact", depth=2)
    for block in (net.stages[1][1], net.stages[1][0]):  # with a shortcut and layer scale, and without
        x = torch.randn(3, block.in_channels, 4, 4)
        directions = torch.randn(5, block.out_channels)
        with torch.no_grad():
            inner = block.depthwise(block.norm(x)).movedim(1, -1).flatten(0, 2)
            truth = block.branch(x).movedim(1, -1).flatten(0, 2) @ directions.T
        found = decompose(block_interactions(block, directions)).evaluate(inner)
        assert (found - truth).abs().max() < 1e-6 * truth.abs().max()


def test_a_product_of_two_known_inputs_has_two_known_eigenvalues():
    first, second = torch.tensor([[1.0, 0, 0]]), torch.tensor([[0, 1.0, 0]])
    spectrum = decompose(interactions(first, second, torch.ones(1, 1)))
    assert sorted(spectrum.values[0, :2].tolist()) == pytest.approx([-0.5, 0.5])
    assert spectrum.values[0, 2:].tolist() == pytest.approx([0, 0])
    assert spectrum.effective_rank().item() == pytest.approx(2)
    assert spectrum.share(1).item() == pytest.approx(0.5)
    assert spectrum.positive_share().item() == pytest.approx(0.5)


def test_only_products_without_activation_are_bilinear():
    names = ("demonet_star_noact", "demonet_star", "demonet_sum_noact", "convnext")
    found = {name: is_bilinear(randomised(name).stages[-1][-1]) for name in names}
    assert found == {name: name == "demonet_star_noact" for name in names}
    assert not is_bilinear(randomised("demonet_star_noact", probe="solu_s1").stages[-1][-1])
    with pytest.raises(LowparamError, match="without activation"):
        block_interactions(randomised("demonet_star").stages[-1][-1], torch.ones(1, 24))


@pytest.mark.parametrize("depth", [1, 2])
def test_analysis_explains_the_logits_of_the_whole_network(images, depth):
    net = randomised("demonet_star_noact", depth=depth)
    with torch.no_grad():
        truth = (net(images.normalise(images.test.pixels)).argmax(1) == images.test.labels).double().mean()
    classes, accuracies = analyse_network(net, images)
    assert list(classes["class"]) == list("abcd")
    assert (classes["error"] < 1e-9).all()
    assert classes["effective_rank"].between(1, classes["channels"] + 1).all()
    assert (classes["share_1"] <= classes["share_4"]).all() and classes["share_4"].max() <= 1
    assert accuracies["accuracy"].iloc[-1] == pytest.approx(truth.item())
    assert accuracies["terms"].iloc[-1] == classes["channels"].iloc[0] + 1


def test_analysis_explains_a_published_network_through_its_layer_norm(images):
    torch.manual_seed(0)
    net = published.build("demonet_star_noact_d12_w8", classes=4, in_channels=1, size=8)
    for name, parameter in net.named_parameters():
        if "gamma" in name or "bias" in name or name == "head.weight":
            torch.nn.init.normal_(parameter)
    net.eval()
    with torch.no_grad():
        truth = (net(images.normalise(images.test.pixels)).argmax(1) == images.test.labels).double().mean()
    classes, accuracies = analyse_network(net, images)
    assert (classes["error"] < 1e-9).all()
    assert accuracies["accuracy"].iloc[-1] == pytest.approx(truth.item())
    assert accuracies["explained"].iloc[-1] == pytest.approx(1)


def test_a_head_that_is_not_linear_is_refused(images):
    net = published.build("demonet_star_noact_d12_w8", classes=4, in_channels=1, size=8)
    net.head = torch.nn.GELU()
    with pytest.raises(LowparamError, match="need a linear classifier, or a layer norm and one"):
        analyse_network(net, images)


def test_fewer_eigenvectors_explain_less(images):
    net = randomised("demonet_star_noact", seed=1)
    spectrum = decompose(block_interactions(net.stages[-1][-1], torch.randn(3, 24)))
    x = torch.randn(200, 24)
    whole = spectrum.evaluate(x)
    errors = [(spectrum.evaluate(x, terms) - whole).norm().item() for terms in (0, 1, 4, 8, 16, 25)]
    assert errors == sorted(errors, reverse=True) and errors[-1] == 0


@pytest.fixture
def trained(tmp_path, monkeypatch, images):
    """Make an experiment of an architecture whose runs are there, with weights other than the initial ones."""
    monkeypatch.chdir(tmp_path)

    def make(architecture):
        Path("params.yaml").write_text(PARAMS % architecture)
        loaded = params.load()
        same = images.test
        splits = {n: Images(same.pixels.clone(), same.labels.clone()) for n in ("train", "validation", "test")}
        data.save(Path("results/data/small"), splits, images.classes)
        for run in loaded.runs("small"):
            torch.manual_seed(100 + run.seed)
            net = network_for(params.run_spec(loaded, run), classes=4, in_channels=1, size=8)
            run.folder.mkdir(parents=True)
            save_file(net.state_dict(), run.folder / "model.safetensors")
        return loaded

    return make


def test_all_runs_of_an_experiment_are_analysed_beside_their_untrained_selves(trained):
    folder = Path("results/small")
    write_bilinear(
        trained("demonet_star, demonet_star_noact"), "small", data_folder="results/data/small", folder=folder
    )
    classes, accuracies = (pd.read_csv(folder / f"{name}.csv") for name in ("bilinear", "bilinear_accuracy"))
    assert set(classes["architecture"]) == {"demonet_star_noact"}
    assert classes.groupby(["seed", "trained"]).size().tolist() == [4] * 4
    assert (classes["error"] < 1e-6).all()
    changed = classes.pivot(index=["seed", "class"], columns="trained", values="effective_rank")
    assert (changed[True] != changed[False]).all()
    complete = accuracies.groupby(["seed", "trained"])["explained"].last()
    assert complete.tolist() == [pytest.approx(1)] * 4

    made = bilinear.make(Context(params.load(), "small"))
    table = made.numbers.set_index(["trained", "quantity"])["mean"]
    expected = classes[classes["trained"]]["effective_rank"].mean()
    assert table[(True, "effective_rank")] == pytest.approx(expected, rel=1e-4)
    assert made.latex("small")


def test_experiment_without_such_blocks_is_refused_in_one_line(trained):
    with pytest.raises(LowparamError, match="add demonet_star_noact"):
        write_bilinear(trained("demonet_star"), "small", data_folder="results/data/small", folder=Path("results/small"))


def test_streamed_images_are_refused_in_one_line(trained, monkeypatch):
    loaded = trained("demonet_star_noact")
    monkeypatch.setattr(data, "load", lambda folder: object())
    with pytest.raises(LowparamError, match="need images in memory, and those of experiment small are streamed"):
        write_bilinear(loaded, "small", data_folder="results/data/small", folder=Path("results/small"))
