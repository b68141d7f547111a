import pytest

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
    with pytest.raises(LowparamError, match=r"unknown architecture 'mobilenetv2_x0\.5'"):
        listing.network("mobilenetv2_x0.5", budget=100_000)
