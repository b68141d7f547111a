"""Write docs/systems.md, what the package has of the systems of the field: `lowparam docs`."""

import re
from collections import defaultdict
from pathlib import Path

import torch

from lowparam import registry
from lowparam.files import write_text
from lowparam.models.cost import count_parameters
from lowparam.models.skeletons import published
from lowparam.page_tables import COMMAND, markdown
from lowparam.references.systems import ANALYSES, BACKBONES, SMALL, System

__all__ = ["PAGE", "here", "page", "row", "write"]

PAGE = Path("docs/systems.md")
PLACES = {
    "models/blocks": "block",
    "models/parts": "part",
    "models/probes": "probe",
    "training/losses": "loss",
    "training/penalties": "penalty",
    "interference/measures": "measure",
    "explanations": "explanation",
    "explanations/attributions": "attribution",
    "studies/star": "study",
}
"""Folders of the package, and what a file in them is."""
GROUPS = {
    "Small networks, and elements that fit them": SMALL,
    "Backbones": BACKBONES,
    "Methods of analysis": ANALYSES,
}
LISTINGS = ("ARCHITECTURES", "ABLATIONS", "PUBLISHED")
"""What a block's file calls its architectures; the first of them stands for all."""
NUMBER = re.compile(r"arXiv (\d{4}\.\d{4,5})")
READING = re.compile(r"\breading\b")
ABOUT = f"""# Systems of the field

Networks, blocks, elements and methods that others have proposed for small vision networks.
A name that begins with a plus is a [part](architectures/parts.md): any block takes it, as in `mobilenetv2+se`.
A network of timm is an architecture in published mode.
No public definition settles a *reading*: its results must not be called those of the paper.

*This page is written by `{COMMAND}`: a file is found by the arXiv number in it.*"""


def here() -> dict[str, list[tuple[str, str]]]:
    """Return the files that name each paper: folder and entry, by arXiv number."""
    found = defaultdict(list)
    for folder in PLACES:
        for entry in registry.entries(folder):
            for number in dict.fromkeys(NUMBER.findall(_source(folder, entry))):
                found[number].append((folder, entry))
    return dict(found)


def page() -> str:
    """Write the page: a table of what is here and one of what is not for each group, and all other blocks and parts."""
    files = here()
    texts = [ABOUT]
    for title, systems in GROUPS.items():
        there = [system for system in systems if files.get(system.arxiv) or system.timm]
        texts += [f"## {title}", markdown([row(system, files.get(system.arxiv, [])) for system in there])]
        missing = [system for system in systems if system not in there]
        if missing:
            texts += [f"### {title}: not here", markdown([_missing(system) for system in missing])]
    known = {system.arxiv for systems in GROUPS.values() for system in systems}
    mine = {entry for number in known for entry in files.get(number, ())}
    others = [
        (folder, entry)
        for folder in ("models/blocks", "models/parts")
        for entry in registry.entries(folder)
        if (folder, entry) not in mine
    ]
    texts += [
        "## Other blocks and parts",
        "Of papers that the lists above do not have, and controls of no paper.",
        markdown([_other(folder, entry) for folder, entry in others]),
        "## Parts one by one",
        "A part that equals another layer in a special case is tested against it in that case; counts are those of a "
        "layer from Ci to Co channels, or of C channels, with a kernel of k.",
        markdown([_part(entry) for entry in registry.entries("models/parts")]),
    ]
    return "\n\n".join(texts) + "\n"


def write() -> None:
    """Write the page."""
    write_text(PAGE, page())


def row(system: System, files: list[tuple[str, str]]) -> dict[str, str]:
    """Write the row of a system from the files that name its paper."""
    kinds = {PLACES[folder] for folder, _ in files} | ({"timm"} if system.timm else set())
    return {
        "system": system.name,
        "paper": _paper(system),
        "kind": system.kind,
        "here as": ", ".join(sorted(kinds)),
        "name to type": ", ".join(
            [*(_name(*file) for file in files), *([f"`timm:{system.timm}`"] if system.timm else [])]
        ),
        "parameters published, and here": "; ".join(_counts(system)) or "–",
        "compared with": system.checked or ("special cases" if kinds & {"part", "block"} else "–"),
        "left out": system.left_out or "–",
    }


def _missing(system: System) -> dict[str, str]:
    return {
        "system": system.name,
        "paper": _paper(system),
        "kind": system.kind,
        "why": system.out
        or "; ".join(["not written yet", *([f"without {system.left_out}"] if system.left_out else [])]),
    }


def _other(folder: str, entry: str) -> dict[str, str]:
    papers = [_link(number) for number in NUMBER.findall(_source(folder, entry))]
    return {
        "name to type": _name(folder, entry),
        "kind": registry.constants(folder, entry)["SLOT"] if folder == "models/parts" else "block",
        "what it is": registry.about(folder, entry).replace("``", "`"),
        "paper": ", ".join(dict.fromkeys(papers)) or "–",
    }


def _part(entry: str) -> dict[str, str]:
    declared, source = registry.constants("models/parts", entry), _source("models/parts", entry)
    return {
        "part": _name("models/parts", entry),
        "slot": declared["SLOT"],
        "paper": declared["PAPER"].partition(";")[0],
        "definition": "–" if declared["PAPER"] == "none" else "reading" if READING.search(source) else "public",
        "equals, and counts": declared["EQUALS"],
    }


def _name(folder: str, entry: str) -> str:
    """Return what a person types, with a link to the file."""
    path = f"../{_file(folder, entry).relative_to(registry.PACKAGE.parents[1])}"
    typed = entry
    if folder == "models/parts":
        typed = f"+{entry}"
    elif folder == "models/blocks":
        module = registry.load(folder, entry)
        typed = next((name for listing in LISTINGS for name in getattr(module, listing, {})), entry)
    return f"[`{typed}`]({path})"


def _counts(system: System) -> list[str]:
    texts = []
    for network, reported in system.published.items():
        with torch.device("meta"):
            net = published.build(
                network, classes=system.classes, in_channels=3, size=32 if system.classes == 10 else 224
            )
        texts.append(f"`{network}` {reported}, {count_parameters(net).total:,}")
    return texts


def _paper(system: System) -> str:
    return _link(system.arxiv) if system.arxiv else "–"


def _link(number: str) -> str:
    return f"[{number}](https://arxiv.org/abs/{number})"


def _source(folder: str, entry: str) -> str:
    return _file(folder, entry).read_text(encoding="utf-8")


def _file(folder: str, entry: str) -> Path:
    file = registry.PACKAGE / folder / f"{entry}.py"
    return file if file.exists() else file.with_suffix("") / "__init__.py"
