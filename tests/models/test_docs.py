"""The pages of architectures are what the code says, and the page on adding one works as written."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lowparam.models import blocks, pages
from lowparam.models.diagram import draw

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "architectures"
QUICK = ("nodepth_bp",)
HINT = f"run `{pages.COMMAND}`"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in blocks.names()]
)
def test_pages_are_up_to_date(name):
    assert (FOLDER / f"{name}.md").read_text(encoding="utf-8") == pages.page(name), HINT


@pytest.mark.parametrize("name", blocks.names())
def test_diagrams_are_up_to_date_and_show_every_convolution(name):
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert text == draw(blocks.find(name)), HINT
    labels = [element.text for element in ElementTree.fromstring(text).iter() if element.tag.endswith("text")]
    block = blocks.find(name)(24, 24, stride=1, hidden=round(blocks.find(name).hidden_width(24, 24)))
    convolutions = [
        module
        for part, module in block.named_modules()
        if type(module).__name__ == "Conv2d" and not part.startswith("excite")
    ]
    assert sum("conv" in label for label in labels) == len(convolutions)
    assert ("+" in labels[-2:]) == block.residual


def test_the_pages_of_ablations_and_activations_are_up_to_date():
    assert (FOLDER / "ablation.md").read_text(encoding="utf-8") == pages.ablation_page(), HINT
    assert (FOLDER / "activations.md").read_text(encoding="utf-8") == pages.activations_page(), HINT


def test_the_index_is_up_to_date_and_every_page_is_in_it():
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == pages.index(), HINT
    assert {path.stem for path in FOLDER.glob("*.md")} == {"README", "ablation", "probes", *blocks.names()}
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(blocks.names())


def test_an_architecture_is_added_as_the_page_says(tmp_path):
    page = (ROOT / "docs" / "add-an-architecture.md").read_text(encoding="utf-8")
    file = re.search(r"Make `(workflow/\S+\.py)`", page)[1]
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    line = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1]
    assert line.count("\n") == 1  # one line, as promised
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    assert not (tmp_path / file).exists()
    (tmp_path / file).write_text(code, encoding="utf-8")
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    experiment = "  digits:\n    data: digits\n    recipe: digits\n"
    assert params.count(experiment) == 1
    (tmp_path / "params.yaml").write_text(params.replace(experiment, experiment + line), encoding="utf-8")
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
    ran = subprocess.run(
        [sys.executable, "-c", shown],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "workflow"), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    counts = dict(re.findall(r"^(poolmix-\S+) (\d+)", ran.stdout, re.MULTILINE))
    for scale, count in counts.items():
        budget = int(scale.rpartition("-")[2].removesuffix("k")) * 1000
        assert abs(int(count) - budget) <= 0.02 * budget
    assert {"poolmix-none-25k", "poolmix-solu_s1-25k"} <= set(counts)
    assert "['expansion', 'projection', 'spatial', 'stream']" in ran.stdout
