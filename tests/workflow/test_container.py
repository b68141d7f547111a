"""The documented calls of containers work for a user whom the system in the container does not know."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from workspace import ROOT, Workspace

NOBODY = """
import pwd


def getpwuid(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")


pwd.getpwuid = getpwuid
"""
TARGET = "results/data/digits/manifest.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A clone, next to what makes Python find no entry of any user."""
    place = tmp_path_factory.mktemp("container")
    (place / "nobody").mkdir()
    (place / "nobody/sitecustomize.py").write_text(NOBODY)
    return Workspace.of_this_repository(place / "w").folder


def call(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a command with the variables of a container and no others."""
    modules = f"{folder.with_name('nobody')}:{folder / 'workflow'}"
    paths = {"PATH": os.environ["PATH"], "PYTHONPATH": modules}
    return subprocess.run(command, cwd=folder, env=environment | paths, capture_output=True, text=True)


def of_image() -> dict[str, str]:
    """Return the variables that the image sets."""
    line = re.search(r"^ENV (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return dict(word.split("=") for word in line[1].split())


@pytest.mark.parametrize("command", [("snakemake", "-n", TARGET), ("dvc", "status"), ("lowparam", "run", "-n", TARGET)])
def test_every_tool_starts_with_the_variables_of_the_image(folder, command):
    done = call(folder, *command, **of_image())
    assert done.returncode == 0, done.stdout + done.stderr


def test_our_command_starts_without_name_and_home(folder):
    """And hands both to snakemake, which takes neither for granted."""
    done = call(folder, "lowparam", "run", "-n", TARGET)
    assert done.returncode == 0, done.stdout + done.stderr


def test_make_gives_its_commands_a_name_and_a_home(tmp_path):
    own = {"PATH": os.environ["PATH"]}
    for given in ({}, {"HOME": "/home/me", "USER": "me"}):
        call = ["make", "--no-print-directory", "--eval", "show: ; @echo $$HOME $$USER", "show"]
        done = subprocess.run(call, cwd=ROOT, env=own | given, check=True, capture_output=True, text=True)
        home, name = done.stdout.split()
        assert [home, name] == ([*given.values()] or ["/tmp", f"user{os.getuid()}"])


def test_both_kinds_of_image_give_name_and_home():
    lines = (ROOT / "apptainer.def").read_text().partition("%environment")[2]
    script = f"unset HOME USER\n{lines}\n{sys.executable} -c 'import os; print(*sorted(os.environ))'"
    names = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert {*of_image()} <= {*names}
