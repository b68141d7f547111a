"""The six public functions do what their documentation shows."""

import doctest
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

import lowparam
from lowparam import api, data, paths
from lowparam.errors import LowparamError
from lowparam.interference.profile import profile_run
from lowparam.params import Profile, Run
from lowparam.training.train_scale import train_scale
from quick import make_params
from trained_run import save_digits


def test_importing_lowparam_imports_neither_torch_nor_pandas():
    code = "import sys, lowparam; print([m for m in ('torch', 'pandas', 'numpy', 'pydantic') if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_the_examples_in_the_documentation_run():
    results = doctest.testmod(api, raise_on_error=False)
    assert results.attempted >= 4 and results.failed == 0


def test_a_network_of_each_kind_is_created_at_its_size():
    net = lowparam.create_model("mobilenetv2", budget="25k", classes=10, in_channels=3, size=32)
    assert abs(sum(p.numel() for p in net.parameters()) - 25_000) <= 500
    assert lowparam.create_model("mobilenetv1_x0.25", classes=7)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
    assert lowparam.create_model("timm:resnet10t", classes=3)(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "budget", "message"),
    [
        ("mobilenetv2", None, r"mobilenetv2 has no size of its own; give a budget, such as budget='25k'"),
        ("mobilenetv2", "many", r"budget: 'many' is not a parameter count"),
        ("mobilenetv9", "25k", r"mobilenetv9.*did you mean"),
    ],
)
def test_a_wrong_name_or_budget_is_one_line(name, budget, message):
    with pytest.raises(LowparamError, match=message):
        lowparam.create_model(name, budget=budget)


def test_a_published_network_takes_parts():
    plain, changed = (lowparam.create_model(f"mobilenetv1_x0.25{part}") for part in ("", "+se"))
    assert sum(p.numel() for p in changed.parameters()) > sum(p.numel() for p in plain.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "mobilenetv2_x0.5", "budget": "25k"}, "mobilenetv2_x0.5 has a size of its own; give no budget"),
        ({"name": "mobilenetv2_x0.5+se", "budget": "25k"}, r"mobilenetv2_x0.5\+se has a size of its own"),
        ({"name": "timm:resnet10t", "budget": "25k"}, "timm:resnet10t has a size of its own; give no budget"),
        ({"name": None}, "name must be a string, not None"),
        ({"classes": 1}, "classes must be a whole number of at least 2, not 1"),
        ({"classes": 2.5}, "classes must be a whole number of at least 2, not 2.5"),
        ({"in_channels": 0}, "in_channels must be a whole number of at least 1, not 0"),
        ({"size": (32, 32)}, r"size must be a whole number of at least 1, not \(32, 32\)"),
        ({"depth": 0}, "depth must be a whole number of at least 1, not 0"),
        ({"counting": "all"}, "counting must be total, body or head, not 'all'"),
    ],
)
def test_an_argument_out_of_its_range_is_one_line(arguments, message):
    with pytest.raises(LowparamError, match=f"^{message}.*$"):
        lowparam.create_model(**{"name": "mobilenetv2", "budget": "25k"} | arguments)


def test_patterns_choose_networks():
    assert "mobilenetv2" in lowparam.list_models()
    assert set(lowparam.list_models("mobilenetv2*")) >= {"mobilenetv2", "mobilenetv2_x0.5"}
    assert lowparam.list_models("nothing*") == []
    with pytest.raises(LowparamError, match="pattern must be a string, not 3"):
        lowparam.list_models(3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained run on real digits, its folder, and the data."""
    folder = tmp_path_factory.mktemp("api")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_digits(paths.data("digits"), train=200, validation=50, test=50)
        params = make_params(seeds=(0,), epochs=8)
        train_scale(params, params.scales("quick")[0], data_folder=paths.data("digits"))
        loaded = data.load(paths.data("digits"))
    return folder / Run(params.scales("quick")[0], 0).folder, loaded


def test_a_loaded_run_has_the_accuracy_that_its_metrics_report(run):
    folder, dataset = run
    trained = lowparam.load_run(folder)
    predicted = trained.predict(dataset.test.pixels)
    wanted = [dataset.classes[label] for label in dataset.test.labels]
    accuracy = sum(a == b for a, b in zip(predicted, wanted, strict=True)) / len(wanted)
    assert accuracy == pytest.approx(json.loads((folder / "metrics.json").read_text())["test"]["accuracy"])
    assert trained.spec["architecture"] == "mobilenetv1" and trained.classes == list(dataset.classes)


def test_the_weights_alone_are_enough(run, tmp_path):
    folder, dataset = run
    copy = tmp_path / "anywhere.safetensors"
    copy.write_bytes((folder / "model.safetensors").read_bytes())
    images = dataset.test.pixels[:5]
    assert np.array_equal(
        lowparam.load_run(copy).predict_proba(images), lowparam.load_run(folder).predict_proba(images)
    )


def test_an_image_gives_the_same_prediction_in_every_form(run, tmp_path):
    folder, dataset = run
    trained = lowparam.load_run(folder)
    array = dataset.test.pixels[0, 0].numpy()
    Image.fromarray(array).save(tmp_path / "digit.png")
    forms = [
        array,
        array[:, :, None],
        np.repeat(array[:, :, None], 3, axis=2),
        torch.from_numpy(array),
        dataset.test.pixels[:1],
        Image.fromarray(array),
        tmp_path / "digit.png",
        str(tmp_path / "digit.png"),
        [array],
    ]
    expected = trained.predict_proba(array)
    assert expected.shape == (1, 10) and expected.sum() == pytest.approx(1, abs=1e-6)
    for form in forms:
        assert np.array_equal(trained.predict_proba(form), expected)
    assert trained.predict_proba([array, Image.fromarray(array), tmp_path / "digit.png"]).shape == (3, 10)


def test_what_is_no_image_is_one_line(run, tmp_path):
    trained = lowparam.load_run(run[0])
    with pytest.raises(LowparamError, match="an image is uint8, from 0 to 255, not float64"):
        trained.predict(np.zeros((8, 8)))
    with pytest.raises(LowparamError, match=r"an image is \(H, W\), .* not of shape \(8, 8, 5\)"):
        trained.predict(np.zeros((8, 8, 5), np.uint8))
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(LowparamError, match=r"text\.png is not a readable image"):
        trained.predict(tmp_path / "text.png")
    with pytest.raises(LowparamError, match="there are no images: the sequence is empty"):
        trained.predict([])
    with pytest.raises(LowparamError, match="an image is a path, a PIL image, an array or a tensor, not int"):
        trained.predict(3)


def test_what_is_no_run_is_one_line(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(LowparamError, match="does not exist; train the run first"):
        lowparam.load_run(tmp_path)
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(LowparamError, match="it was not written by lowparam"):
        lowparam.load_run(tmp_path / "other.safetensors")
    for metadata, message in (("{bad", "has no specification in it"), ("{}", "has no spec in its metadata")):
        save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors", metadata={"lowparam": metadata})
        with pytest.raises(LowparamError, match=message):
            lowparam.load_run(tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_text("x")
    with pytest.raises(LowparamError, match="cannot read"):
        lowparam.load_run(tmp_path / "broken.safetensors")


def test_a_profile_is_that_of_the_workflow(run):
    folder, dataset = run
    trained = lowparam.load_run(folder)
    pixels = torch.cat([dataset.validation.pixels, dataset.test.pixels])
    labels = torch.cat([dataset.validation.labels, dataset.test.labels])
    table = lowparam.profile(trained.model, trained.transform(pixels), labels, classes=trained.classes)
    pd.testing.assert_frame_equal(table, profile_run(trained.model, dataset, Profile()))


def test_images_of_every_form_give_the_same_profile_and_leave_the_network_as_it_was(run):
    folder, dataset = run
    trained = lowparam.load_run(folder)
    pixels, labels = dataset.test.pixels, dataset.test.labels
    mean, std = trained.mean / 255, trained.std / 255
    trained.model.train()
    before = {key: value.clone() for key, value in trained.model.state_dict().items()}
    forms = [pixels, pixels[:, 0], pixels.permute(0, 2, 3, 1), pixels.numpy(), pixels[:, 0].numpy()]
    expected = None
    for form in forms:
        table = lowparam.profile(trained.model, form, labels.numpy(), normalisation=(mean, std))
        expected = table if expected is None else expected
        pd.testing.assert_frame_equal(table, expected)
    assert trained.model.training
    assert all(torch.equal(value, before[key]) for key, value in trained.model.state_dict().items())


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((4, 1, 8, 8), np.int64), [0, 1, 2, 3], r"images must be uint8 pixels or .* not torch\.int64"),
        (np.zeros((8, 8), np.uint8), [0], r"images must be \(N, H, W\), .* not \(8, 8\)"),
        (np.zeros((4, 8, 8), np.float32), [0, 1, 2, 3], r"floating point must be \(N, C, H, W\), not \(4, 8, 8\)"),
        (np.zeros((4, 8, 8), np.uint8), [0, 1, 2], r"labels must be 4 whole numbers"),
        (np.zeros((4, 8, 8), np.uint8), [0, 1, 2, -1], r"labels must be from 0 to 2, not -1 to 2"),
        (np.zeros((4, 8, 8), np.uint8), list("abca"), r"labels must be 4 whole numbers"),
        (np.zeros((0, 8, 8), np.uint8), [], r"there are no images to profile on"),
        (np.zeros((4, 8, 8, 3), np.uint8), [0, 1, 2, 3], r"the network cannot take images of 3 x 8 x 8: [^\n]*$"),
        ("seven.png", [0], r"images must be an array or a tensor, not str"),
    ],
)
def test_images_and_labels_that_cannot_be_profiled_are_one_line(run, images, labels, message):
    with pytest.raises(LowparamError, match=message):
        lowparam.profile(lowparam.load_run(run[0]).model, images, labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalisation": ([0.5], [0.0])}, r"normalisation needs a std above 0, not \[0.0\]"),
        ({"sites": {}}, "sites must be a function from the model to its sites, not dict"),
        ({"untrained": "model.safetensors"}, "untrained must be a torch.nn.Module, not str"),
        ({"out": __file__}, "out: .*test_api.py is a file; give a folder"),
    ],
)
def test_an_option_that_cannot_be_used_is_one_line(run, options, message):
    with pytest.raises(LowparamError, match=message):
        lowparam.profile(lowparam.load_run(run[0]).model, np.zeros((4, 8, 8), np.uint8), [0, 1, 0, 1], **options)


def test_another_network_is_not_taken_for_the_untrained_one(run):
    other = lowparam.create_model("nodepth_a", budget="10k", in_channels=1, size=8)
    with pytest.raises(LowparamError, match="untrained must be the same network as model"):
        lowparam.profile(lowparam.load_run(run[0]).model, np.zeros((4, 8, 8), np.uint8), [0, 1, 0, 1], untrained=other)


def test_a_network_without_pointwise_layers_is_one_line():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(LowparamError, match="no site with a pointwise layer"):
        lowparam.profile(net, np.zeros((6, 8, 8), np.uint8), [0, 1, 2, 0, 1, 2])


def test_the_page_on_the_api_runs(run, tmp_path, monkeypatch):
    folder, dataset = run
    text = (Path(__file__).parents[1] / "docs/api.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(snippets) == 6
    monkeypatch.chdir(tmp_path)
    (shown,) = set(re.findall(r"load_run\(\"(.+?)\"\)", text))
    shutil.copytree(folder, shown)
    for name, pixels in zip(("seven", "three"), dataset.test.pixels, strict=False):
        Image.fromarray(pixels[0].numpy()).save(f"{name}.png")
    known: list[dict] = [{} for _ in snippets]
    for snippet, names in zip(snippets, known, strict=True):
        exec(snippet, names)
    assert known[0]["logits"].shape == (8, 10) and abs(known[0]["parameters"] - 25_000) <= 500
    assert "nodepth_a" in known[1]["names"]
    assert set(known[2]["classes"]) <= set(dataset.classes) and known[2]["probabilities"].shape == (1, 10)
    assert known[3]["chi"]["value"].notna().any()
    assert known[4]["difference"] < 1e-3 and known[4]["accuracy"] > 0.1 and Path("mobilenetv2.onnx").is_file()
    assert known[5]["maps"].shape == (32, 8, 8) and Path("explained/page.png").is_file()


def test_an_exported_run_is_checked_on_the_given_images(run, tmp_path):
    folder, dataset = run
    trained, path = lowparam.load_run(folder), tmp_path / "net.pt2"
    images = trained.transform(dataset.test.pixels)
    found = lowparam.export(trained, images, path, to="torch", labels=dataset.test.labels)
    assert path.is_file() and found["same_predictions"] == found["images"] == len(images)
    assert found["accuracy"] == json.loads((folder / "metrics.json").read_text())["test"]["accuracy"]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), None, "images must be floating point .* not uint8 of shape"),
        (torch.zeros(1, 8, 8), None, r"not float32 of shape \(1, 8, 8\)"),
        (torch.zeros(2, 1, 8, 8), [1], r"labels has the shape \(1,\), but there are 2 images"),
    ],
)
def test_images_that_no_export_can_be_checked_on_are_one_line(run, tmp_path, images, labels, message):
    with pytest.raises(LowparamError, match=message):
        lowparam.export(lowparam.load_run(run[0]), images, tmp_path / "net.onnx", labels=labels)
