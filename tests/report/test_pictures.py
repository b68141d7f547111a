"""Git keeps the pictures that Markdown shows, and no others; the rest is in DVC."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".gif")
MOST_BYTES_OF_PICTURES = 650_000  # `factors` draws some fifty networks in a figure
"""In one folder of results. The sum grows with every experiment that is recorded, so it has no bound."""
MOST_BYTES = 30_000_000
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)|<img[^>]*src=\"([^\"]+)\"")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this is no git repository")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).exists()]


@pytest.fixture(scope="module")
def linked(tracked) -> set[Path]:
    """Pictures that a tracked Markdown file links to."""
    found = set()
    for page in tracked:
        if page.suffix != ".md":
            continue
        for match in LINK.finditer(page.read_text(encoding="utf-8")):
            target = match[1] or match[2]
            if target.endswith(PICTURES) and "://" not in target:
                found.add((page.parent / target).resolve())
    return {path for path in found if path.is_relative_to(ROOT)}  # a badge is a page of GitHub, seen from a file


def test_every_picture_that_markdown_links_to_is_tracked(tracked, linked):
    assert len(linked) > 20
    assert linked <= {path.resolve() for path in tracked}, "add these, or correct the links"


def test_no_picture_is_tracked_that_no_page_shows(tracked, linked):
    pictures = {path.resolve() for path in tracked if path.suffix in PICTURES}
    assert pictures <= linked, "set SHOWN = False, or link to them"


def test_the_pictures_of_an_experiment_stay_small(tracked):
    folders = Counter()
    for path in tracked:
        if path.suffix in PICTURES:
            folders[path.parent] += path.stat().st_size
    assert {folder: size for folder, size in folders.items() if size >= MOST_BYTES_OF_PICTURES} == {}


def test_the_repository_stays_small(tracked):
    assert sum(path.stat().st_size for path in tracked) < MOST_BYTES
