"""The page on studies is right: one new folder and one line give commands, settings, tables and rules."""

import os
import shutil
import subprocess

import pandas as pd
import pytest

from howto import ROOT, follow

TABLE = """
\"\"\"Coherence of random directions.\"\"\"
from lowparam.report.table_format import Table
CAPTION = "Coherence of random directions and the Welch bound."
OF = "coherence"
def make(context):
    numbers = context.read("gaussian")
    return Table(header=list(numbers), rows=numbers.astype(str).to_numpy().tolist(), labels=1, numbers=numbers)
"""
LISTED = """
from lowparam import catalogue, params, studies
from lowparam.engine import rule_names
from lowparam.errors import LowparamError
print(studies.names(), params.load().studies.coherence.directions, catalogue.tables("coherence"))
for name in ("gaussian_coherence", "coherence_gaussian", "coherence"):
    try:
        rule_names.refuse(name)
        print(name, "is free")
    except LowparamError:
        print(name, "is taken")
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    done = follow("study", tmp_path_factory.mktemp("howto"), under="studies:\n")
    (done.folder / "workflow/lowparam/report/tables/coherence.py").write_text(TABLE)
    return done


def test_one_new_folder_and_one_line_are_found(done):
    assert {file.rpartition("/")[0] for file in done.files} == {"workflow/lowparam/studies/coherence"}
    assert done.lines.count("\n") == 1
    assert done.run("python", "-c", LISTED).splitlines() == [
        "['coherence', 'star', 'toy'] 128 ['coherence']",
        "gaussian_coherence is free",
        "coherence_gaussian is taken",
        "coherence is taken",
    ]
    assert "Directions drawn from a normal distribution" in done.run("lowparam", "study")


def test_the_study_runs_and_its_numbers_obey_the_bound(done):
    done.run("lowparam", "study", "coherence")
    done.run("lowparam", "tables", "coherence")
    found = pd.read_csv(done.folder / "results/coherence/gaussian.csv")
    assert found["dimensions"].tolist() == [4, 8, 16, 32]
    assert (found["coherence"] > found["welch_bound"]).all() and (found["coherence"] < 1).all()
    assert found["welch_bound"].iloc[0] == pytest.approx((124 / (4 * 127)) ** 0.5, rel=1e-5)
    assert (done.folder / "results/coherence/tables/coherence.tex").exists()
    done.run("lowparam", "study", "coherence", "gausian", fails=True)


@pytest.mark.slow
def test_the_workflow_has_its_rules(done):
    for name in ("Snakefile", "requirements.lock"):
        shutil.copy2(ROOT / name, done.folder / name)
    shutil.rmtree(done.folder / "results", ignore_errors=True)
    ran = subprocess.run(
        ["snakemake", "-n", "coherence", "--cores", "1"],
        cwd=done.folder,
        env={**os.environ, "PYTHONPATH": str(done.folder / "workflow")},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    for rule in ("coherence_gaussian", "coherence"):
        assert rule in ran.stdout + ran.stderr
