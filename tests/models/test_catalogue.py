import pytest
from typer.testing import CliRunner

from lowparam.cli import app
from lowparam.errors import LowparamError
from lowparam.models import listing
from lowparam.models.cost import cost


def test_networks_of_both_modes_stand_in_one_table():
    names = ["mobilenetv2", "ablation_convnext_k3", "mobilenetv2_x0.5", "timm:test_efficientnet"]
    table = listing.networks(names=names, budget=50_000).set_index("network")
    assert table["mode"].to_list() == ["controlled", "controlled", "published", "published"]
    assert table.parameters["mobilenetv2_x0.5"] == 700_490
    assert table.macs["mobilenetv2_x0.5"] == pytest.approx(27.97e6, abs=5e3)
    assert table.parameters["mobilenetv2"] == pytest.approx(50_000, rel=0.02)
    assert (table.body + table["head"] == table.parameters).all()


@pytest.mark.slow
def test_all_networks_can_be_listed():
    table = listing.networks()
    assert table.network.is_unique
    assert (table[["parameters", "macs", "peak_activation_bytes"]] > 0).all(axis=None)


@pytest.mark.parametrize(
    ("name", "budget"),
    [("mobilenetv2", 100_000), ("mobilenetv3", 25_000), ("starnet", 50_000), ("mobilenetv3_small_1280_x0.25", None)],
)
def test_layers_add_up_to_the_network(name, budget):
    net = listing.network(name, budget=budget, classes=10, size=32)
    table = listing.layers(net, in_channels=3, size=32)
    given = cost(net, 3, 32)
    assert table.parameters.sum() == given.parameters.total
    assert table.macs.sum() == given.macs
    assert table.layer.iloc[0] == "stem.conv"
    assert table.layer.iloc[-1] == "classifier"
    assert table.output.iloc[-1] == "10"


def test_a_published_network_takes_no_budget_and_an_architecture_has_a_usual_one():
    assert cost(listing.network("mobilenetv2"), 3, 32).parameters.total == pytest.approx(100_000, rel=0.02)
    with pytest.raises(LowparamError, match=r"mobilenetv2_x0\.5 has a size of its own; leave out the budget"):
        listing.network("mobilenetv2_x0.5", budget=100_000)


def listed(*arguments: str) -> list[str]:
    """Return the names that `lowparam models` lists with some arguments."""
    result = CliRunner().invoke(app, ["models", *arguments])
    assert result.exit_code == 0, result.output
    return [line.split()[1] for line in result.stdout.splitlines()[2:]]


def test_networks_are_found_by_name_and_by_pattern():
    assert listing.find(["mobilenetv{1,2}", "mobilenetv2_x0.[12]*", "mobilenetv2"]) == [
        "mobilenetv1",
        "mobilenetv2",
        "mobilenetv2_x0.1",
        "mobilenetv2_x0.25",
    ]
    assert listing.find(["nodepth_?+se"]) == ["nodepth_a+se", "nodepth_b+se", "nodepth_c+se"]
    assert "timm:mobilenetv2_050" in listing.find(["timm:mobilenetv2*"])
    with pytest.raises(LowparamError, match="no network matches 'nope"):
        listing.find(["nope*"])


def test_the_list_is_filtered_and_sorted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["mobilenetv2_x0.5", "mobilenetv2", "convnext", "mobilenetv1_x0.25"]
    ram = {name: cost(listing.network(name), 3, 32).peak_activation_bytes for name in names[1:]}
    assert listed(*names, "--below", "300k", "--sort", "ram") == sorted(ram, key=ram.__getitem__)
    assert listed(*names, "--sort", "name") == sorted(names)
    assert listed(*names, "--sort", "parameters")[-1] == "mobilenetv2_x0.5"
    assert listed("mobilenetv2", "convnext", "--below", "100100") == ["convnext"], "100,084, and 100,110 is above"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sort", "parameter"], "--sort: no column 'parameter'; did you mean 'parameters'?"),
        (["--below", "ten"], "--below: 'ten' is not a parameter count; write 25k, 1.5M or 25000"),
        (["convnext", "--below", "10"], "no network is like this; none has fewer than 10 parameters"),
        (["nope*"], "no network matches 'nope*'; lowparam models lists them"),
        (["a{b"], "'a{b' has a brace without its partner"),
        (["convnext", "nope"], "unknown architecture 'nope'"),
        (["convnext*", "--probe", "nope"], "unknown probe 'nope'"),
        (["mobilenetv2_x0.5", "--budget", "10k"], "mobilenetv2_x0.5 has a size of its own"),
        (["--channels", "0"], "invalid value for '--channels': "),
        (["--size", "x"], "invalid value for '--size': "),
        (["--colour"], "no such option: --colour"),
    ],
)
def test_a_list_that_cannot_be_made_is_one_line(arguments, says):
    result = CliRunner().invoke(app, ["models", *arguments])
    assert result.exit_code in (1, 2)
    assert result.output.startswith(f"lowparam: {says}") and result.output.count("\n") == 1


def test_networks_that_cannot_take_the_images_are_left_out_and_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["models", "convnext*", "--size", "8", "--below", "110k"])
    assert result.exit_code == 0 and "convnext " in result.stdout
    assert "networks are left out, the first because convnext_" in result.stderr
    assert "cannot take images of 8 pixels: it needs at least 16" in result.stderr


def test_counts_are_kept_where_there_are_settings_and_only_for_the_same_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = listing.networks(names=["convnext"])
    assert not (tmp_path / ".lowparam").exists()
    (tmp_path / "params.yaml").touch()
    assert listing.networks(names=["convnext"]).equals(first)
    monkeypatch.setattr(listing, "cost", None)
    assert listing.networks(names=["convnext"]).equals(first)
    monkeypatch.setattr(listing, "_code", lambda name, probe: "other")
    with pytest.raises(TypeError, match="not callable"):
        listing.networks(names=["convnext"])
