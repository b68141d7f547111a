"""Write the pages of docs/architectures from the code: `lowparam docs`."""

import inspect
import re
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import pandas as pd
import torch

from lowparam import registry
from lowparam.architectures import BLOCKS, block_entry
from lowparam.files import write_text
from lowparam.models import blocks, listing, parts, probes
from lowparam.models.blocks import Block, design_space
from lowparam.models.cost import cost, count_parameters
from lowparam.models.diagram import draw
from lowparam.models.skeletons import published
from lowparam.params import format_budget
from lowparam.waiting import track

__all__ = ["ablation_page", "families", "index", "page", "parts_page", "probes_page", "write"]

BUDGETS = (25_000, 100_000, 500_000, 1_500_000)
COMMAND = "lowparam docs"
WRITTEN = f"*This page is written by `{COMMAND}`; edit the code instead.*"


def families() -> dict[str, list[str]]:
    """Return the architectures of each file in ``models/blocks``, which share a page, by the name of the file.

    A file that has published networks alone has a page too, and no architecture.
    """
    found: dict[str, list[str]] = {}
    for name in blocks.names():
        found.setdefault(block_entry(name), []).append(name)
    for name in blocks.published():
        found.setdefault(block_entry(name), [])
    return found


def page(family: str) -> str:
    """Write the page of a family: source, then diagram, definition and sites of each block, then counts, as Markdown.

    Raises
    ------
    LowparamError
        If there is no family of that name; the message offers the nearest.
    """
    names = registry.get(family, families(), "family of architectures")
    module = registry.load(BLOCKS, family)
    source, _, context = (inspect.getdoc(module) or "").partition("\n\n")
    shortcut = "The block has no shortcut."
    if any(blocks.find(name).shortcut for name in names):
        shortcut = "The red line is the shortcut, which exists where a block keeps its width and does not stride."
    elif any("<path" in draw(blocks.find(name)) for name in names):
        shortcut = "Red lines pass layers inside the block; none goes around all of it."
    parts = [f"# {family}", _prose(source), *([_prose(context)] if context else [])]
    if names:
        parts.append(
            "In the pictures, the edges of a shape are as wide as its input and output have channels. " + shortcut
        )
    else:
        parts += ["## Definition", *(_definition(block) for block in _blocks_in(module))]
    for name in names:
        parts += [
            f"## {name if len(names) > 1 else 'Definition'}",
            f"![One block of {name}: what each layer does to the number of channels]({name}.svg)",
            _definition(blocks.find(name)),
            _size(blocks.find(name)),
            _sites(name),
        ]
    if names:
        parts += [
            "## In controlled mode",
            "Images of 3 x 32 x 32, 10 classes, two blocks a stage. Memory is in bytes: at fp32 and, in brackets, at "
            "int8.",
            *_patterns_explained(names),
            _table(_merged([row for name in names for row in _controlled(name)], "architecture", names)),
        ]
    rows = [row for name in names for row in _published(name)] or [_counts(name) for name in _networks_of(module)]
    if rows:
        parts += [
            "## Published networks",
            *_makers(_networks_of(module)),
            "An experiment with `mode: published` has the names under `architectures`. MACs are those of an image of "
            "224 x 224 with 1000 classes; head is the classifier and what widens before it.",
            _table(_merged(rows, "network", names)),
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
    lines, own = [], []
    for family, names in families().items():
        if not names:
            own.append(f"- [{family}]({family}.md): {registry.about(BLOCKS, family)}.")
        for name in names:
            heading = f"#{name}" if len(names) > 1 else ""
            about = (inspect.getdoc(blocks.find(name)) or "").partition("\n")[0].replace("``", "`")
            lines.append(f"- [{name}]({family}.md{heading}): {about}")
    return (
        "\n\n".join(
            [
                "# Architectures",
                "In controlled mode an experiment names these; only the block differs between them.",
                "\n".join(lines),
                "These have no block for the skeleton, and networks in published mode only:",
                "\n".join(own),
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
    for family in track(families(), "writing pages of architectures"):
        write_text(folder / f"{family}.md", page(family))
    for name in blocks.names():
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
                "architecture": name,
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


def _published(name: str) -> list[dict]:
    module = registry.load(BLOCKS, block_entry(name))
    known = [*module.ARCHITECTURES, *getattr(module, "ABLATIONS", {})]
    rows = []
    for network in _networks_of(module):
        mine = [other for other in known if network.startswith(f"{other}_")]
        if name == max(mine, key=len, default=known[0]):  # where several blocks make a network: the first
            rows.append(_counts(network))
    return rows


def _networks_of(module: ModuleType) -> list[str]:
    return list(getattr(module, "PUBLISHED", {}))


def _blocks_in(module: ModuleType) -> list[type[Block]]:
    """Return the blocks that a file defines, in its order."""
    found = [thing for thing in vars(module).values() if inspect.isclass(thing) and issubclass(thing, Block)]
    return [block for block in found if block.__module__ == module.__name__]


def _counts(network: str) -> dict:
    """Return the row of a published network."""
    with torch.device("meta"):
        large, small = (published.build(network, classes=classes, in_channels=3, size=224) for classes in (1000, 10))
    given = cost(large, 3, 224)
    return {
        "network": network,
        "1000 classes": f"{given.parameters.total:,}",
        "of it head": f"{given.parameters.head:,}",
        "10 classes": f"{count_parameters(small).total:,}",
        "MACs": f"{given.macs / 1e6:.2f} M",
    }


def _merged(rows: list[dict], key: str, names: list[str]) -> list[dict]:
    """Merge rows that differ in the architecture alone, and write the names as a pattern of params.yaml.

    Parameters
    ----------
    rows : list of dict
        Rows of a table.
    key : str
        The column of the name, which begins with one of the architectures.
    names : list of str
        The architectures.
    """
    merged: dict[tuple, list[str]] = {}
    for row in rows:
        name = max((name for name in names if row[key].startswith(name)), key=len, default="")
        rest = {column: value for column, value in row.items() if column != key}
        merged.setdefault((row[key].removeprefix(name), *rest.items()), []).append(name)
    return [{key: f"`{_pattern(found)}{suffix}`", **dict(values)} for (suffix, *values), found in merged.items()]


def _pattern(names: list[str]) -> str:
    """Write names of one family as a pattern with braces: ``starnet{,_sum}``."""
    family = names[0].partition("_")[0]
    rests = [name.removeprefix(family) for name in names]
    return names[0] if len(names) == 1 else f"{family}{{{','.join(rests)}}}"


def _patterns_explained(names: list[str]) -> list[str]:
    text = "Braces stand for several names, as in params.yaml; the networks of one row have equal counts."
    return [text] if len(names) > 1 else []


def _makers(networks: list[str]) -> list[str]:
    """Return what the docstrings of the functions that make the networks tell about them, and the strides."""
    makers = {blocks.find_published(network).func: None for network in networks}
    told = [_definition(maker).removeprefix("Lay out ") for maker in makers]
    told = [text[0].upper() + text[1:] for text in told]
    first = networks[0]
    return [*told, f"The total stride is {_stride(first, 224)} at 224 pixels and {_stride(first, 32)} below 96 pixels."]


def _stride(network: str, size: int) -> int:
    with torch.device("meta"):
        net = published.build(network, classes=10, in_channels=3, size=size).eval()
        return size // net.features(torch.empty(1, 3, size, size)).shape[2]


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else f"{value:.3g}" if isinstance(value, float) else str(value)


def _table(rows: list[dict]) -> str:
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
