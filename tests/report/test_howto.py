"""The pages on tables and figures are right: one new file, and it is in the catalogue, the workflow and the report."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from howto import follow
from lowparam.errors import LowparamError
from lowparam.params import load
from lowparam.report.write import write_tables

ROOT = Path(__file__).parents[2]
RULES = "Snakefile", "requirements.lock"
LIST = """
from lowparam import catalogue, params
chosen = params.load().experiment("digits")
print(*catalogue.{0}s(chosen), *catalogue.{0}s(chosen, "verdicts"))
"""
EXAMPLES = [("table", "stability", ("csv", "md", "tex")), ("figure", "generalisation", ("pdf", "png"))]


def copy_results(folder: Path) -> Path:
    """Copy the committed results of digits that tables and figures are made from."""
    results = folder / "results/digits"
    results.mkdir(parents=True)
    for name in ("runs.csv", "baseline.json", "claims.csv"):
        shutil.copy2(ROOT / "results/digits" / name, results / name)
    shutil.copytree(ROOT / "results/digits/tuning", results / "tuning")
    return results


@pytest.mark.parametrize(("kind", "name", "suffixes"), EXAMPLES)
def test_one_new_file_is_a_table_or_figure(kind, name, suffixes, tmp_path):
    done = follow(kind, tmp_path)
    assert len(done.files) == 1 and not done.lines
    listed = done.run("python", "-c", LIST.format(kind)).split()
    assert name in listed

    results = copy_results(tmp_path)
    done.run("lowparam", f"{kind}s", "digits", name)
    assert {path.name for path in (results / f"{kind}s").iterdir()} == {f"{name}.{suffix}" for suffix in suffixes}

    # The page needs all figures; those of profiles cannot be drawn here.
    for figure in done.run("python", "-c", LIST.format("figure")).split():
        path = results / "figures" / f"{figure}.png"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (4, 4)).save(path)
    done.run("lowparam", "page", "digits")
    page = (results / "report.html").read_text(encoding="utf-8")
    section = re.search(rf'id="{kind}-{name}">(.*?)</section>', page, re.DOTALL)[1]
    assert ("MobileNetV1" if kind == "table" else "Training accuracy against test accuracy on digits") in section


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name", "suffixes"), EXAMPLES)
def test_it_is_an_output_of_the_workflow(kind, name, suffixes, tmp_path):
    done = follow(kind, tmp_path)
    for file in RULES:
        shutil.copy2(ROOT / file, tmp_path / file)
    wanted = [f"results/digits/{kind}s/{name}.{suffix}" for suffix in suffixes]
    planned = done.run("python", "-m", "snakemake", "--dry-run", "--nocolor", *wanted)
    assert f"{kind}s_digits" in planned or f"rule {kind}s" in planned


@pytest.mark.parametrize(
    ("subject", "only", "hint"),
    [
        ("digits", ["acuracy"], "unknown table of digits 'acuracy'; did you mean 'accuracy'?"),
        ("digit", [], "unknown experiment or study 'digit'; did you mean 'digits'?"),
    ],
)
def test_an_unknown_name_gets_one_line_with_the_nearest(subject, only, hint, folder, monkeypatch):
    monkeypatch.chdir(folder.parents[1])
    with pytest.raises(LowparamError) as error:
        write_tables(load(), subject, only=only)
    assert str(error.value) == hint
