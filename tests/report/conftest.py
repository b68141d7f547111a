"""An experiment whose runs are simulated, with everything that is printed about it."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lowparam.params import load
from lowparam.registry import load as load_entry
from lowparam.report.model_report import PROFILE_FIGURES
from lowparam.report.pages.html_page import write_page
from lowparam.report.pages.paper import write_paper
from lowparam.report.style import only_text
from lowparam.report.verdicts.write import write_verdicts
from lowparam.report.write import write_figures, write_tables
from synthetic import add, experiment_grid, noisy

PARAMS = """
data: {digits: {source: digits, split: {train: 0.6, validation: 0.15, test: 0.25}}}
recipes: {digits: {epochs: 1, batch_size: 64, lr: 0.004}}
replicate: [digits]
experiments:
  digits:
    {data: digits, recipe: digits,
     architectures: [mobilenetv1, mobilenetv2, mobilenetv3, mobilenext, convnext, nodepth_a],
     probes: [none, solu_s1], budgets: [10k, 25k, 50k, 100k], seeds: [0, 1, 2, 3, 4]}
"""


def simulated(params) -> pd.DataFrame:
    """Runs in which V1 leads, and one has diverged."""
    rng = np.random.default_rng(0)
    runs = noisy(experiment_grid(params, "digits"), rng, 0.003)
    runs = noisy(add(runs, 0.03, architecture=["mobilenetv1"]), rng, 0.02, "r_projection")
    runs.loc[runs["architecture"] == "mobilenext", "r_projection"] = np.nan
    runs.loc[len(runs) - 1, "status"] = "diverged"
    runs.loc[len(runs) - 1, ["train_accuracy", "validation_accuracy", "test_accuracy"]] = np.nan
    return runs.assign(folder=[run.folder.as_posix() for run in params.runs("digits")], r_projection_null_sd=0.02)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of an experiment whose runs are simulated, with everything that is written from its runs."""
    place = tmp_path_factory.mktemp("printed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        (place / "params.yaml").write_text(PARAMS, encoding="utf-8")
        params = load()
        results = place / "results/digits"
        results.mkdir(parents=True)
        simulated(params).to_csv(results / "runs.csv", index=False)
        scores = {"training_images": 1078, "test": {"accuracy": 0.9, "images": 450}}
        baseline = {"model": "logistic regression", "parameters": 650, **scores}
        (results / "baseline.json").write_text(json.dumps(baseline), encoding="utf-8")
        # Internals of networks are not simulated.
        for name in PROFILE_FIGURES:
            patch.setattr(load_entry("report/figures", name), "make", lambda context: only_text(context.output.name))
        write_tables(params, "digits")
        write_figures(params, "digits")
        write_verdicts(params, "digits")
        write_page(params, "digits")
    return results


@pytest.fixture(scope="session")
def paper(folder):
    """The PDF of the report, compiled from this experiment."""
    if not any(map(shutil.which, ("pdflatex", "tectonic"))):
        assert "LOWPARAM_NEEDS_LATEX" not in os.environ, "CI must have pdflatex"
        pytest.skip("no LaTeX is installed")
    place = folder.parents[1]
    (place / "paper").mkdir()
    for name in ("paper.tex", "references.tex"):
        shutil.copy(Path(__file__).parents[2] / "paper" / name, place / "paper")
    (place / "docs").mkdir(exist_ok=True)
    shutil.copy(Path(__file__).parents[2] / "docs/results.md", place / "docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return place / write_paper(load())
