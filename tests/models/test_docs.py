"""The pages of architectures are what the code says, and the page on adding one works as written."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor, nn

from howto import follow
from lowparam.models import blocks, pages
from lowparam.models.diagram import draw
from lowparam.models.layers import Sum
from lowparam.params.grid import expand

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "architectures"
QUICK = ("mobilenetv1",)
HINT = f"run `{pages.COMMAND}`"


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in pages.families()]
)
def test_pages_are_up_to_date(family):
    assert (FOLDER / f"{family}.md").read_text(encoding="utf-8") == pages.page(family), HINT


def test_a_page_has_the_picture_and_the_sites_of_every_block_of_its_family():
    assert pages.families()["nodepth"] == ["nodepth_a", "nodepth_b", "nodepth_bp", "nodepth_c"]
    for family, names in pages.families().items():
        text = (FOLDER / f"{family}.md").read_text(encoding="utf-8")
        for name in names:
            assert f"({name}.svg)" in text and (len(names) == 1 or f"## {name}\n" in text)
        assert text.count("Feature maps are read") == len(names)


def test_networks_of_equal_counts_are_one_row_with_a_pattern_of_their_names():
    counts = {"starnet_s1": 7, "starnet_s2": 8, "starnet_sum_s1": 7, "starnet_sum_s2": 9}
    rows = [{"network": name, "1000 classes": count} for name, count in counts.items()]
    merged = pages._merged(rows, "network", ["starnet", "starnet_sum"])
    assert [tuple(row.values()) for row in merged] == [
        ("`starnet{,_sum}_s1`", 7),
        ("`starnet_s2`", 8),
        ("`starnet_sum_s2`", 9),
    ]
    read = {name: row["1000 classes"] for row in merged for name in expand([row["network"].strip("`")])}
    assert read == counts


@pytest.mark.parametrize("name", blocks.names())
def test_diagrams_are_up_to_date_and_show_every_convolution(name):
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert text == draw(blocks.find(name)), HINT
    labels = [element.text for element in ElementTree.fromstring(text).iter() if element.tag.endswith("text")]
    block = blocks.find(name)(24, 24, stride=1, hidden=round(blocks.find(name).hidden_width(24, 24)))
    named = [module for module in block.modules() if hasattr(module, "drawn")]
    inside = {id(part) for module in named for part in module.modules()} - {id(module) for module in named}
    convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d) and id(m) not in inside]
    assert sum("conv" in label for label in labels) == len(convolutions)
    sums: list[Tensor] = []
    for module in block.modules():
        if isinstance(module, Sum):
            module.register_forward_hook(lambda module, args, output: sums.append(output))
    last = block.eval().branch(torch.zeros(1, 24, 8, 8))
    assert ("+" in labels[-2:]) == (block.residual or any(last is each for each in sums))


def test_a_layer_that_declares_its_name_is_drawn_as_one_shape_with_that_name():
    class Halve(nn.Sequential):
        drawn = "halving gate"

        def __init__(self, channels):
            super().__init__(nn.Conv2d(channels, channels, 1), nn.Sigmoid())

    plain = blocks.find("nodepth_a")
    gated = type("Gated", (plain,), {"defaults": replace(plain.defaults, gate=Halve)})
    before, after = (
        [element.text for element in ElementTree.fromstring(draw(block)).iter() if element.tag.endswith("text")]
        for block in (plain, gated)
    )
    assert after.count("halving gate") == 1
    assert sum("conv" in label for label in after) == sum("conv" in label for label in before) == 3


def test_the_pages_of_ablations_parts_and_probes_are_up_to_date():
    assert (FOLDER / "ablation.md").read_text(encoding="utf-8") == pages.ablation_page(), HINT
    assert (FOLDER / "parts.md").read_text(encoding="utf-8") == pages.parts_page(), HINT
    assert (FOLDER / "probes.md").read_text(encoding="utf-8") == pages.probes_page(), HINT


def test_the_index_is_up_to_date_and_every_page_is_in_it():
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == pages.index(), HINT
    assert {path.stem for path in FOLDER.glob("*.md")} == {"README", "ablation", "parts", "probes", *pages.families()}
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(blocks.names())


def test_a_block_is_added_as_the_page_says(tmp_path):
    done = follow("block", tmp_path)
    assert len(done.files) == 1 and done.lines.count("\n") == 1  # one file and one line, as promised
    shown = (
        "import torch\n"
        "from lowparam import params\n"
        "from lowparam.models import blocks, network_for\n"
        "from lowparam.models.listing import layers, networks\n"
        "from lowparam.models.pages import page\n"
        "chosen = params.load()\n"
        "runs = [run for run in chosen.runs('digits') if run.scale.architecture == 'poolmix']\n"
        "for run in runs:\n"
        "    net = network_for(params.run_spec(chosen, run), classes=10, in_channels=1, size=8)\n"
        "    net(torch.rand(4, 1, 8, 8)).sum().backward()\n"
        "    assert all(p.grad is not None for p in net.parameters())\n"
        "    kinds = sorted({site.kind for site in net.sites().values()})\n"
        "    print(run.scale.name, sum(p.numel() for p in net.parameters()), kinds)\n"
        "assert 'poolmix' in blocks.names()\n"
        "assert networks(names=['poolmix']).parameters.sum() > 0\n"
        "assert len(layers(net, in_channels=1, size=8)) > 10\n"
        "assert '## In controlled mode' in page('poolmix')\n"
    )
    output = done.run("python", "-c", shown)
    counts = dict(re.findall(r"^(poolmix-\S+) (\d+)", output, re.MULTILINE))
    for scale, count in counts.items():
        budget = int(scale.rpartition("-")[2].removesuffix("k")) * 1000
        assert abs(int(count) - budget) <= 0.02 * budget
    assert {"poolmix-none-25k", "poolmix-solu_s1-25k"} <= set(counts)
    assert "['expansion', 'projection', 'spatial', 'stream']" in output
    assert "poolmix" in done.run("lowparam", "models")


IDENTITIES = """
from lowparam import params, runs
chosen = params.load()
for scale in [*chosen.scales("solu"), *chosen.scales("ablation")]:
    print(runs.code_of_training(chosen, scale))
"""


@pytest.mark.parametrize("page", ["block", "part", "probe", "layer"])
def test_a_new_file_makes_nothing_stale(page, tmp_path):
    done, before = follow(page, tmp_path / "after"), follow(page, tmp_path / "before", apply=False)
    assert len(done.files) == 1
    assert done.run("python", "-c", IDENTITIES) == before.run("python", "-c", IDENTITIES)


def test_a_part_is_added_as_the_page_says(tmp_path):
    done = follow("part", tmp_path)
    code = """
import torch
from lowparam import params
from lowparam.models import network_for, pages
chosen = params.load()
for scale in chosen.scales("digits"):
    net = network_for(params.run_spec(chosen, params.Run(scale, 0)), classes=10, in_channels=1, size=8)
    net(torch.rand(4, 1, 8, 8)).sum().backward()
    gates = [module for module in net.modules() if type(module).__name__ == "ECA"]
    print(scale.name, len(gates), sum(p.numel() for p in net.parameters()))
print("`eca`" in pages.parts_page())
"""
    *lines, listed = done.run("python", "-c", code).splitlines()
    assert listed == "True"
    gates = {name: (int(count), int(total)) for name, count, total in map(str.split, lines)}
    assert gates["mobilenetv2-none-25k"][0] == 0
    assert gates["mobilenetv2+eca-none-25k"][0] == gates["mobilenetv1+eca+gelu-solu_s1-25k"][0] == 6
    assert all(abs(total - 25_000) <= 500 for name, (_, total) in gates.items() if name.endswith("25k"))
    assert done.run("lowparam", "check", "digits").startswith("digits: 18 scales")


def test_a_probe_is_added_as_the_page_says(tmp_path):
    done = follow("probe", tmp_path)
    code = """
import torch
from lowparam.models import probes
probe = probes.find_probe("clip_s1_wide")
print(probe.placement, probe.make()(torch.tensor([-3.0, 0.5, 3.0])).tolist())
from lowparam.report.labels import probe_label
print(probe_label("clip_s1"))
"""
    assert done.run("python", "-c", code).splitlines() == ["stream [-2.0, 0.5, 2.0]", "clipping (S1)"]
    assert done.run("lowparam", "check", "digits").startswith("digits: 54 scales")


def test_a_layer_is_added_as_the_page_says(tmp_path):
    code = """
import torch
from lowparam.models.layers.pool import SoftPool
x = torch.full((2, 3, 4, 4), 0.7)
print(torch.allclose(SoftPool()(x), torch.full((2, 3), 0.7)))
"""
    assert follow("layer", tmp_path).run("python", "-c", code).strip() == "True"
