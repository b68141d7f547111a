"""Commands in the documentation exist, with the options that are shown."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from lowparam.cli import app

ROOT = Path(__file__).parents[2]
PAGES = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
WRITTEN = [name for name in PAGES.splitlines() if not name.startswith("results/")]


def shown(name: str, program: str) -> list[str]:
    """Return the calls of a program in the code of a page, in fences and between backticks."""
    text = (ROOT / name).read_text(encoding="utf-8")
    fences = re.findall(r"^ *```(?:sh|bash|)\n(.*?)^ *```", text, flags=re.M | re.S)
    lines = [line.strip() for fence in fences for line in fence.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S))
    calls = [call.strip() for line in lines for call in line.split("&&")]
    return [call for call in calls if re.match(rf"{program} +\S", call)]


@pytest.mark.parametrize("name", WRITTEN)
def test_every_lowparam_command_and_option_exists(name):
    commands = get_command(app).commands
    unknown = []
    for line in shown(name, "lowparam"):
        words = shlex.split(line, comments=True)[1:]
        if not re.fullmatch(r"[a-z][a-z-]*", words[0]):
            continue  # lowparam --help, lowparam …
        command = commands.get(words[0])
        options = {option for parameter in getattr(command, "params", []) for option in parameter.opts}
        if command is not None and command.context_settings.get("ignore_unknown_options"):
            continue  # lowparam run hands its arguments to snakemake
        given = {word.partition("=")[0] for word in words[1:] if word.startswith("--")} - {"--help"}
        if command is None or given - options:
            unknown.append(line)
    assert unknown == []


@pytest.mark.parametrize("name", WRITTEN)
def test_every_make_target_exists(name):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    calls = [shlex.split(line, comments=True)[1:] for line in shown(name, "make")]
    words = {word for call in calls for word in call if "=" not in word and not word.startswith(("-", "#"))}
    assert words - targets == set()
