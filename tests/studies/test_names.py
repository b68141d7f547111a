import pytest

from lowparam.models import blocks
from lowparam.references.stars import TABLES
from lowparam.studies.star.names import (
    STANDARD,
    VARIANTS,
    StarName,
    activated,
    parse,
    standard,
    sum_partner,
    variants_in,
)

ALL = [
    name
    for name in [*blocks.names(), *blocks.ablations(), *blocks.published()]
    if name.startswith(("demonet", "starnet"))
]


@pytest.mark.parametrize("suffix", ["", "@lr0.01"])
def test_every_name_is_read_and_written_back(suffix):
    assert len(ALL) > 200
    assert all(parse(name + suffix).name == name + suffix for name in ALL)


def test_the_variants_are_those_that_blocks_build():
    built = {name.removeprefix("starnet_") for name in blocks.ablations() if name.startswith("starnet_")}
    assert {name for name in built if not name.startswith("sum")} == set(VARIANTS)


def test_a_table_of_the_paper_compares_its_variants_with_the_standard_block():
    others = {"none": "noact", "both branches": "actboth", "after the product": "actproduct"}
    assert variants_in(9) == {**others, "one branch": ""}
    assert all(set(variants_in(table)) <= set(TABLES[table].frame().iloc[:, 0]) for table in (9, 17, 18))
    assert all(STANDARD[table] in set(TABLES[table].frame().iloc[:, 0]) for table in STANDARD)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("demonet_star", StarName("demonet", "star")),
        ("demonet_sum_noact_d12_w8", StarName("demonet", "sum", variant="noact", size="d12_w8")),
        ("starnet_s1", StarName("starnet", "star", size="s1")),
        ("starnet_sum", StarName("starnet", "sum")),
        ("starnet_sum34_s050", StarName("starnet", "mixed", (3, 4), size="s050")),
        ("starnet_shared", StarName("starnet", "star", variant="shared")),
        ("starnet_square_s4", StarName("starnet", "star", variant="square", size="s4")),
        ("mobilenetv2", None),
        ("starnetwork", None),
        ("starnet_unknown", None),
    ],
)
def test_names_say_what_networks_are(name, parts):
    assert parse(name) == parts


def test_partners_differ_in_one_thing():
    assert sum_partner("demonet_star_noact_d12_w8@lr0.01") == "demonet_sum_noact_d12_w8@lr0.01"
    assert sum_partner("starnet_s050") == "starnet_sum_s050"
    assert sum_partner("demonet_sum") is sum_partner("starnet_sum12") is sum_partner("convnext") is None
    assert activated("demonet_sum_noact") == "demonet_sum"
    assert activated("starnet_noact_s050") == "starnet_s050"
    assert activated("demonet_sum") is None
    assert standard("starnet_sum12_s050") == standard("starnet_gate_s050") == "starnet_s050"
    assert standard("demonet_star") is None
