"""Write the pages of docs/architectures from the code: `lowparam docs`."""

import importlib
import inspect
import re
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch

from lowparam import registry
from lowparam.files import write_text
from lowparam.models import blocks, listing, parts, probes
from lowparam.models.blocks import Block, design_space
from lowparam.models.cost import cost, count_parameters
from lowparam.models.diagram import draw
from lowparam.models.skeletons import published
from lowparam.params import format_budget

__all__ = ["ablation_page", "index", "page", "parts_page", "probes_page", "write"]

BUDGETS = (25_000, 100_000, 500_000, 1_500_000)
COMMAND = "lowparam docs"
WRITTEN = f"*This page is written by `{COMMAND}`; edit the code instead.*"


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
            *_makers(rows),
            "The names stand in `architectures:` of an experiment with `mode: published`. MACs are those of an image "
            "of 224 x 224 with 1000 classes; head is the classifier and what widens before it.",
            _table(rows),
        ]
    parts.append(WRITTEN)
    return "\n\n".join(parts) + "\n"


def ablation_page() -> str:
    """Write the page of the design space and its one-factor ablations."""
    points = [
        {"architecture": name, **{key: _shown(value) for key, value in asdict(point).items()}}
        for name, point in design_space.POINTS.items()
    ]
    factors = []
    for start in design_space.POINTS:
        longer = [other for other in design_space.POINTS if other != start and other.startswith(start)]
        mine = [
            name.removeprefix(f"ablation_{start}_")
            for name in blocks.ablations()
            if name.startswith(f"ablation_{start}_") and not any(name.startswith(f"ablation_{o}") for o in longer)
        ]
        factors.append(f"- `ablation_{start}_` with {', '.join(f'`{factor}`' for factor in mine)}")
    return (
        "\n\n".join(
            [
                "# The design space",
                _prose(inspect.getdoc(design_space)),
                "## The settings",
                _settings(inspect.getdoc(design_space.Point)),
                "## Where the architectures lie",
                pd.DataFrame(points).set_index("architecture").T.to_markdown(disable_numparse=True),
                "## What differs from them in one factor",
                "\n".join(factors),
                WRITTEN,
            ]
        )
        + "\n"
    )


def parts_page() -> str:
    """Write the page of all parts."""
    rows = [
        {
            "part": f"`{name}`",
            "slot": (declared := registry.constants("models/parts", name))["SLOT"],
            "what it is": registry.about("models/parts", name),
            "paper": declared["PAPER"],
            "equals": declared["EQUALS"],
        }
        for name in registry.entries("models/parts")
    ]
    about, _, _ = inspect.getdoc(parts).partition(" Its file defines")
    return "\n\n".join(["# Parts", _prose(about), _table(rows), WRITTEN]) + "\n"


def probes_page() -> str:
    """Write the page of SoLU, its places and its controls."""
    return (
        "\n\n".join(
            [
                "# Probes",
                _prose(inspect.getdoc(probes)),
                f"All names: {', '.join(f'`{name}`' for name in probes.names())}.",
                WRITTEN,
            ]
        )
        + "\n"
    )


def index() -> str:
    """Write the list of all pages."""
    lines = [f"- [{name}]({name}.md): {inspect.getdoc(blocks.find(name)).splitlines()[0]}" for name in blocks.names()]
    return (
        "\n\n".join(
            [
                "# Architectures",
                "In controlled mode an experiment names these; only the block differs between them.",
                "\n".join(lines),
                f"{len(design_space.ABLATIONS)} [one-factor ablations](ablation.md) of them have names too, as have "
                "the variants that the page of [starnet](starnet.md) lists. Each takes any of the [parts](parts.md) "
                "and of the [probes](probes.md). In published mode an experiment names the papers' own networks, "
                "listed on each page, and any network of timm as `timm:<name>`.",
                "To add one, see [add a block](../howto/block.md) and [add a part](../howto/part.md).",
                WRITTEN,
            ]
        )
        + "\n"
    )


def write(folder: Path) -> None:
    """Write all pages and pictures into a folder."""
    write_text(folder / "README.md", index())
    write_text(folder / "ablation.md", ablation_page())
    write_text(folder / "parts.md", parts_page())
    write_text(folder / "probes.md", probes_page())
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


def _settings(docstring: str) -> str:
    """Turn the parameters of a numpy-style docstring into a list."""
    entries = re.findall(r"^(\w+) : (.*)\n((?:    .*\n?)+)", docstring.replace("``", "`"), re.MULTILINE)
    return "\n".join(f"- `{name}` ({kind}): {' '.join(text.split())}" for name, kind, text in entries)


def _definition(thing: object) -> str:
    """Return the docstring of a block or a function up to its parameters, as Markdown."""
    return _prose((inspect.getdoc(thing) or "").split("\n\nParameters\n")[0])


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
        net = listing.network(name, budget=BUDGETS[0])
    place = "stages.1.1."
    found = [site.removeprefix(place) for site in net.sites() if site.startswith(place)]
    return f"Feature maps are read, in the order in which data flows, at: {', '.join(f'`{site}`' for site in found)}."


def _controlled(name: str) -> list[dict]:
    rows = []
    for budget in BUDGETS:
        with torch.device("meta"):
            net = listing.network(name, budget=budget)
        given = cost(net, 3, 32)
        rows.append(
            {
                "budget": format_budget(budget),
                "widths": " ".join(str(row[-1].out_channels) for row in net.stages.children()),
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
    others = [*module.ARCHITECTURES, *getattr(module, "ABLATIONS", {})]
    longer = [other for other in others if other != name and other.startswith(f"{name}_")]
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


def _makers(rows: list[dict]) -> list[str]:
    """Return what the docstrings of the functions that make the networks tell about them."""
    makers = {blocks.find_published(row["network"].strip("`")).func: None for row in rows}
    said = [_definition(maker).removeprefix("Lay out ") for maker in makers]
    said = [text[0].upper() + text[1:] for text in said]
    first = rows[0]["network"].strip("`")
    return [*said, f"The total stride is {_stride(first, 224)} at 224 pixels and {_stride(first, 32)} below 96 pixels."]


def _stride(network: str, size: int) -> int:
    with torch.device("meta"):
        net = published.build(network, classes=10, in_channels=3, size=size).eval()
        return size // net.features(torch.empty(1, 3, size, size)).shape[2]


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else f"{value:.3g}" if isinstance(value, float) else str(value)


def _table(rows: list[dict]) -> str:
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
