"""The pages of docs/architectures, written from the code: `python -m lowparam.models.pages docs/architectures`."""

import importlib
import inspect
import re
import sys
from pathlib import Path

import pandas as pd
import torch

from lowparam.files import write_text
from lowparam.models import blocks, catalogue, published
from lowparam.models.blocks import Block
from lowparam.models.cost import cost, count_parameters
from lowparam.models.diagram import draw
from lowparam.params import format_budget

__all__ = ["index", "page", "write"]

BUDGETS = (25_000, 100_000, 500_000, 1_500_000)
COMMAND = "python -m lowparam.models.pages docs/architectures"


def page(name: str) -> str:
    """Write the page of an architecture: source, diagram, definition, sites and counts, as Markdown.

    Raises
    ------
    LowparamError
        If there is no architecture of that name.
    """
    block = blocks.find(name)
    source, _, context = inspect.getdoc(importlib.import_module(block.__module__)).partition("\n\n")
    parts = [
        f"# {name}",
        _prose(source),
        f"![One block of {name}: what each layer does to the number of channels]({name}.svg)",
        "The edges of a shape are as wide as its input and output have channels. The red line is the shortcut, which "
        "exists where a block keeps its width and does not stride."
        if block.shortcut
        else "The edges of a shape are as wide as its input and output have channels. The block has no shortcut.",
        "## Definition",
        _definition(block),
        *([_prose(context)] if context else []),
        _size(block),
        "## Sites",
        _sites(name),
        "## In controlled mode",
        "Images of 3 x 32 x 32, 10 classes, two blocks a stage. Memory is in bytes: at fp32 and, in brackets, at int8.",
        _table(_controlled(name)),
    ]
    rows = _published(block, name)
    if rows:
        parts += [
            "## Published networks",
            "The names stand in `architectures:` of an experiment with `mode: published`. MACs are those of an image "
            "of 224 x 224 with 1000 classes; head is the classifier and what widens before it.",
            _table(rows),
        ]
    parts.append(f"*This page is written by `{COMMAND}`; edit the code instead.*")
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """Write the list of all pages."""
    lines = [f"- [{name}]({name}.md): {inspect.getdoc(blocks.find(name)).splitlines()[0]}" for name in blocks.names()]
    return (
        "\n\n".join(
            [
                "# Architectures",
                "In controlled mode an experiment names these; only the block differs between them.",
                "\n".join(lines),
                f"One-factor ablations of them have names too ({len(blocks.ablations())} of them); the docstring of "
                "`lowparam/models/blocks/ablation.py` says how they are made. In published mode an experiment names "
                "the papers' own networks, listed on each page, and any network of timm as `timm:<name>`.",
                f"To add one, see [add your own architecture](../add-an-architecture.md). *These pages are written by "
                f"`{COMMAND}`; edit the code instead.*",
            ]
        )
        + "\n"
    )


def write(folder: Path) -> None:
    """Write all pages and pictures into a folder."""
    write_text(folder / "README.md", index())
    for name in blocks.names():
        write_text(folder / f"{name}.md", page(name))
        write_text(folder / f"{name}.svg", draw(blocks.find(name)))


def _prose(text: str) -> str:
    """Turn a docstring into Markdown: ``code`` marks, and lists of a word, two spaces, and its meaning."""
    lines = []
    for line in text.replace("``", "`").splitlines():
        entry = re.match(r"(`[^`]+`(?:, `[^`]+`)*|[A-Z]'?) {2,}(.*)", line)
        if entry:
            line = f"- {entry[1]}: {entry[2]}"
        lines.append(re.sub(r"^ {4,}(?=\S)", "  ", line))
    return re.sub(r"\n(?=- )(?<!\n\n)", "\n", "\n".join(lines))


def _definition(block: type[Block]) -> str:
    return _prose(inspect.getdoc(block).split("\n\nParameters\n")[0])


def _size(block: type[Block]) -> str:
    counts = []
    for width in (16, 64):
        made = block(width, width, stride=1, hidden=max(1, round(block.hidden_width(width, width))))
        counts.append(f"{sum(p.numel() for p in made.parameters()):,} parameters at C = {width}")
    hidden = block.hidden_width(1.0, 1.0)
    inside = f" The hidden width is {hidden:.3g} C." if block.expansion != 1 else ""
    return f"A block that keeps its width C has {' and '.join(counts)}.{inside}"


def _sites(name: str) -> str:
    with torch.device("meta"):
        net = catalogue.network(name, budget=BUDGETS[0])
    place = "stages.1.1."
    found = [site.removeprefix(place) for site in net.sites() if site.startswith(place)]
    return f"Feature maps are read, in the order in which data flows, at: {', '.join(f'`{site}`' for site in found)}."


def _controlled(name: str) -> list[dict]:
    rows = []
    for budget in BUDGETS:
        with torch.device("meta"):
            net = catalogue.network(name, budget=budget)
        given = cost(net, 3, 32)
        rows.append(
            {
                "budget": format_budget(budget),
                "widths": " ".join(str(row[-1].out_channels) for row in net.stages),
                "parameters": f"{given.parameters.total:,}",
                "head": f"{given.parameters.head:,}",
                "MACs": f"{given.macs / 1e6:.2f} M",
                "weights": f"{given.weight_bytes:,} ({given.weight_bytes_int8:,})",
                "peak of activations": f"{given.peak_activation_bytes:,} ({given.peak_activation_bytes_int8:,})",
            }
        )
    return rows


def _published(block: type[Block], name: str) -> list[dict]:
    module = importlib.import_module(block.__module__)
    names = getattr(module, "PUBLISHED", {})
    longer = [other for other in module.ARCHITECTURES if other != name and other.startswith(f"{name}_")]
    rows = []
    for network in names:
        if not network.startswith(f"{name}_") or any(network.startswith(f"{other}_") for other in longer):
            continue
        with torch.device("meta"):
            large, small = (
                published.build(network, classes=classes, in_channels=3, size=224) for classes in (1000, 10)
            )
        given = cost(large, 3, 224)
        rows.append(
            {
                "network": f"`{network}`",
                "1000 classes": f"{given.parameters.total:,}",
                "of it head": f"{given.parameters.head:,}",
                "10 classes": f"{count_parameters(small).total:,}",
                "MACs": f"{given.macs / 1e6:.2f} M",
            }
        )
    return rows


def _table(rows: list[dict]) -> str:
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
