"""Markdown that people wrote: links lead somewhere, lines are sentences, and the language is the field's."""

import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400
"""Characters of a line outside tables and code: one sentence, or two short ones."""
DIALECT = [
    r"stands? in\b", r"\bgoes on\b", r"\bgo on\b", r"\bof now\b", r"\bmade again\b", r"\bmakes? it again\b",
    r"\basks? for\b", r"\bmend\b", r"\bfor want of\b", r"images of (?:your|one's) own\b", r"what others report",
    r"\bsays\b", r"\bbeside\b",
]  # fmt: skip


def tracked(*patterns: str) -> list[str]:
    names = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return names.stdout.splitlines()


EVERY = tracked("*.md")
WRITTEN = [name for name in EVERY if not name.startswith(("results/", "docs/architectures/"))]


@cache
def prose(name: str) -> list[str]:
    """Lines of a page outside fenced code; inline code is blanked."""
    text = re.sub(r"^( *)```.*?^\1```", "", (ROOT / name).read_text(), flags=re.M | re.S)
    return [re.sub(r"`[^`]*`", "`", line) for line in text.splitlines()]


def anchors(name: str) -> set[str]:
    """Anchors of the headings of a page, as GitHub forms them."""
    text = re.sub(r"^( *)```.*?^\1```", "", (ROOT / name).read_text(), flags=re.M | re.S)
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.*)$", text, flags=re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        found[anchor] = found.get(anchor, -1) + 1
    return {f"{anchor}-{n}" if n else anchor for anchor, last in found.items() for n in range(last + 1)}


@pytest.mark.parametrize("name", EVERY)
def test_every_relative_link_leads_to_a_file_and_a_heading(name):
    files = set(tracked())
    broken = []
    for line in prose(name):
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if re.match(r"[a-z]+:", target) or target.startswith("../../actions/"):  # the badge of CI, on GitHub
                continue
            path, _, anchor = unquote(target).partition("#")
            file = (ROOT / name).parent.joinpath(path).resolve() if path else ROOT / name
            inside = str(file.relative_to(ROOT))
            known = inside in files or any(other.startswith(f"{inside}/") for other in files)
            if not known or (anchor and anchor not in anchors(inside)):
                broken.append(target)
    assert broken == []


@pytest.mark.parametrize("name", WRITTEN)
def test_lines_are_sentences(name):
    long = [line for line in prose(name) if len(line) > LONGEST and not line.startswith("|")]
    assert long == []


@pytest.mark.parametrize("name", [name for name in WRITTEN if name != "CONTRIBUTING.md"])
def test_the_language_is_that_of_the_field(name):
    pattern = re.compile("|".join(DIALECT), re.I)
    found = [f"{match[0]!r} in: {line}" for line in prose(name) for match in pattern.finditer(line)]
    assert found == []


def test_every_place_on_the_map_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    package, missing = ROOT / "workflow/lowparam", []
    tree = text.split("## The map")[1].split("```")[1]
    for line in tree.strip().splitlines():
        names = re.split(r" {2,}", line.strip())[0].split(", ")
        missing += [name for name in names if not (package if line.startswith(" ") else ROOT).joinpath(name).exists()]
    missing += [
        name for name in re.findall(r"^\| [^|]+ \| `([a-z_/]+/)` \|", text, flags=re.M) if not (package / name).is_dir()
    ]
    assert missing == []
