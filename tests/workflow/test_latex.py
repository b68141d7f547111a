"""Every generated table compiles in a document that loads booktabs and siunitx and nothing else."""

import os
import shutil
import subprocess

import pytest

from workspace import ROOT

DOCUMENT = r"""\documentclass[twocolumn]{article}
\usepackage{booktabs,siunitx}
\begin{document}
%s
\end{document}
"""


def compiled(tables, folder) -> str:
    """Compile a document that inputs the tables, and return the log."""
    # LaTeX keeps no more than a few dozen tables waiting for a place.
    inputs = "\n".join(rf"\input{{{path}}}\clearpage" for path in tables)
    (folder / "all.tex").write_text(DOCUMENT % inputs, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "too large for page" not in done.stdout, done.stdout[-3000:]
    return done.stdout


@pytest.fixture(autouse=True)
def latex():
    if shutil.which("pdflatex") is None:
        assert "LOWPARAM_NEEDS_LATEX" not in os.environ, "CI must have pdflatex"
        pytest.skip("pdflatex is not installed")


def test_tables_of_a_fresh_run_compile(finished, tmp_path):
    tables = sorted(finished.folder.glob("results/digits/tables/*.tex"))
    assert len(tables) >= 3
    compiled(tables, tmp_path)


def test_committed_tables_compile(tmp_path):
    tables = sorted(ROOT.glob("results/*/tables/*.tex"))
    if not tables:
        pytest.skip("no results in this clone")
    compiled(tables, tmp_path)
