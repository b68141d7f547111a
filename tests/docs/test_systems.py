"""docs/systems.md tells the truth about what is here of the systems of the field, and why the rest is not."""

from pathlib import Path

import pytest
import timm

from lowparam import registry, systems_page
from lowparam.references.systems import ANALYSES, BACKBONES, SMALL, System

ROOT = Path(__file__).parents[2]
SYSTEMS = (*SMALL, *BACKBONES, *ANALYSES)
TEXT = (ROOT / systems_page.PAGE).read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_is_up_to_date():
    assert systems_page.page() == TEXT, "run `lowparam docs`"


def test_every_block_and_part_is_on_the_page_with_a_link_that_works():
    for folder in ("models/blocks", "models/parts"):
        for entry in registry.entries(folder):
            path = f"../workflow/lowparam/{folder}/{entry}.py"
            assert path in TEXT and (ROOT / "docs" / path).is_file()


def test_every_system_is_on_the_page_once_with_a_name_to_type_or_a_reason():
    rows = [line.split(" | ") for line in TEXT.splitlines() if line.startswith("| ")]
    for system in SYSTEMS:
        (row,) = [row for row in rows if row[0] == f"| {system.name}"]
        assert (len(row) == 8 and "`" in row[4]) or (len(row) == 4 and len(row[3]) > 10), system.name


def test_no_paper_and_no_name_is_there_twice():
    numbers = [system.arxiv for system in SYSTEMS if system.arxiv]
    assert len(set(numbers)) == len(numbers)
    assert len({system.name for system in SYSTEMS}) == len(SYSTEMS)


def test_what_is_said_to_stay_out_is_not_here():
    found = systems_page.here()
    assert {system.name: found[system.arxiv] for system in SYSTEMS if system.out and system.arxiv in found} == {}


def test_networks_of_timm_are_there():
    names = [system.timm for system in SYSTEMS if system.timm]
    assert set(names) <= set(timm.list_models()) and len(names) > 14


def test_a_file_is_found_by_the_number_of_its_paper():
    found = systems_page.here()
    assert ("models/parts", "se_r8") in found["2311.10807"]  # SENetV2, which has no file of its own
    assert ("models/blocks", "van") in found["2202.09741"]
    assert found["2411.07501"] == [("models/parts", f"laurel_{kind}") for kind in ("lr", "rw", "rwlr")]


def test_a_count_is_next_to_the_published_one():
    system = System("MobileNetV2", "network", "1801.04381", published={"mobilenetv2_x1.0": "3.4 M"})
    row = systems_page.row(system, [("models/blocks", "mobilenetv2")])
    assert row["parameters published, and here"] == "`mobilenetv2_x1.0` 3.4 M, 3,504,872"
