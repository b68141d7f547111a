"""What changes no result makes nothing stale, for Snakemake and for DVC; what changes results, only those."""

import json
import re
import shutil
from pathlib import Path

import pytest

from lowparam.engine.fingerprint import meaning_of_rules
from workspace import ROOT, Workspace

CLEAN = "Data and pipelines are up to date."
PACKAGE = "workflow/lowparam"


@pytest.fixture
def copy(recorded, tmp_path) -> Workspace:
    """A copy of the recorded grid."""
    return recorded.copy(tmp_path / "w")


def edit(workspace: Workspace, file: str, old: str, new: str) -> None:
    path = workspace.folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{file} has changed: choose another place for this test"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def rename_module(workspace: Workspace, old: str, new: str) -> None:
    """Rename a module of the package and every import of it, as an editor does."""
    base = workspace.folder / PACKAGE
    (base / f"{old.replace('.', '/')}.py").rename(base / f"{new.replace('.', '/')}.py")
    folder, _, name = old.rpartition(".")
    for path in base.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        changed = re.sub(rf"\blowparam\.{re.escape(old)}\b", f"lowparam.{new}", text)
        changed = re.sub(
            rf"(from lowparam\.{re.escape(folder)} import [^\n]*)\b{name}\b",
            rf"\1{new.rpartition('.')[2]} as {name}",
            changed,
        )
        if changed != text:
            path.write_text(changed, encoding="utf-8")


def stages(workspace: Workspace) -> set[str]:
    """Stages that dvc status names."""
    return set(json.loads(workspace.run("dvc", "status", "--json") or "{}"))


def test_what_changes_no_result_makes_nothing_stale(copy):
    edit(copy, f"{PACKAGE}/training/loop.py", "  # larger ones leave the cache", "  # larger ones are slower")
    edit(copy, f"{PACKAGE}/training/loop.py", '"""Train one network by a recipe', '"""Train a network by its recipe')
    edit(copy, f"{PACKAGE}/training/loop.py", "        pays = should_compile(", "        pays: bool = should_compile(")
    rename_module(copy, "models.layers.conv", "models.layers.convolutions")
    rename_module(copy, "training.optimizer", "training.optimisers")
    edit(copy, f"{PACKAGE}/params/schema.py", "    dropout: ", "    unheard_of: float = 0.5\n    dropout: ")
    for kind, known in (("parts", "relu"), ("probes", "topk")):
        folder = copy.folder / PACKAGE / "models" / kind
        shutil.copy(folder / f"{known}.py", folder / "unheard_of.py")
    edit(copy, f"{PACKAGE}/__init__.py", '__version__ = "', '__version__ = "99.')
    edit(copy, "workflow/rules/train.smk", "# Images that stay on disk", "# All images that stay on disk")
    edit(copy, "profiles/default/config.yaml", "cores: 2", "cores: 3  # of four")

    assert copy.run("lowparam", "run", "-n").count("Nothing to be done") == 1
    assert "Nothing to be done" in copy.run("snakemake", "-n")
    assert stages(copy) <= {"code"}
    copy.run("dvc", "repro", "code")
    assert CLEAN in copy.run("dvc", "status")


def test_a_changed_factor_of_a_block_makes_exactly_its_runs_stale(copy):
    edit(copy, f"{PACKAGE}/models/blocks/nodepth.py", "    expansion = 4.0\n", "    expansion = 3.0\n")
    output = copy.snakemake("runs", "--dry-run", "--quiet", "host")
    named = set(re.findall(r"wildcards: experiment=digits, scale=(\S+)", output))
    assert named == {"nodepth_a-none-10k", "nodepth_a-solu_s1-10k"}
    jobs = copy.jobs()
    assert (jobs["train"], jobs["profile"]) == (2, 2)
    copy.run("dvc", "repro", "code")
    assert {"train", "profile"} <= stages(copy)
    assert "data" not in stages(copy)


def test_a_recorded_file_that_other_code_rebuilds_to_the_same_bytes_is_current(copy):
    """The record describes how the old code made it; it must not take the place of what Snakemake knows since."""
    edit(
        copy, f"{PACKAGE}/data/prepare.py", "source = find_source(name, data)", "source = find_source(str(name), data)"
    )
    target = "results/data/digits/manifest.json"
    assert copy.jobs(target) == {"prepare": 1}
    copy.snakemake(target)
    assert copy.jobs(target) == {}


def test_a_change_of_the_rules_of_the_report_trains_and_measures_nothing(copy):
    edit(copy, "workflow/rules/report.smk", "threads: 1", "threads: 2")
    copy.run("dvc", "repro", "code")
    assert stages(copy) == {"report"}
    assert copy.jobs() == {}, "the number of threads changes no file"


RULES = """\
# Reports.
for name in names:
    rule:
        output:
            f"{name}.csv"
        shell:
            "lowparam report {name}"

def double(x):
    return 2 * x
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# Reports.", "# Tables and figures."),
        ("# Reports.\n", ""),
        ("    rule:", "\n\n    rule:  # for each"),
        ('            f"', '              f"'),
        ("def double(x):\n", 'def double(x):\n    """Return twice a number."""\n'),
        ("2 * x", "2  *  x"),
    ],
)
def test_comments_docstrings_and_formatting_of_rules_do_not_count(old, new):
    assert old in RULES
    assert meaning_of_rules(RULES.replace(old, new)) == meaning_of_rules(RULES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("report {name}", "figures {name}"),
        ('{name}.csv"', '{name}.tex"'),
        ("2 * x", "3 * x"),
        ('            "lowparam report {name}"', '            """lowparam figures {name}"""'),
        ("\n    return 2 * x", "\n    x += 1\n    return 2 * x"),
        ('            f"', '            "'),
    ],
)
def test_commands_outputs_and_code_of_rules_count(old, new):
    assert old in RULES
    assert meaning_of_rules(RULES.replace(old, new)) != meaning_of_rules(RULES)


def test_every_file_of_rules_can_be_read():
    for path in [ROOT / "Snakefile", *Path(ROOT / "workflow/rules").glob("*.smk")]:
        assert "#" not in re.sub(r"(['\"]).*?\1", "", meaning_of_rules(path.read_text(encoding="utf-8")))
