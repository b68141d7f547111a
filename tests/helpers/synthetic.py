"""Runs as in runs.csv whose truth is known, because it was put in."""

import re
from itertools import product
from math import prod

import numpy as np
import pandas as pd
from scipy.stats import binom

from lowparam.claims.finding import INCONCLUSIVE, verdict
from lowparam.interference.summary import columns
from lowparam.params import format_size, parse_budget

ARCHITECTURES = ["mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenext", "convnext", "nodepth_a", "starnet"]
BUDGETS = ["10k", "25k", "50k", "100k"]
SIMULATIONS = 200


def experiment_grid(params, name: str) -> pd.DataFrame:
    """The runs of an experiment of params.yaml, as `grid` makes them; published networks get sizes by their names."""
    keys = [(r.scale.label, r.scale.probe, format_size(r.scale.budget), r.seed) for r in params.runs(name)]
    runs = _constant(pd.DataFrame(keys, columns=["architecture", "probe", "budget", "seed"]))
    runs = runs.assign(**dict.fromkeys(added_columns(params, name), 1.0))
    return runs.assign(int8_loss=0.01) if params.experiment(name).deploy else runs


def added_columns(params, name: str) -> list[str]:
    """The columns of the measures that an experiment adds to the default ones."""
    added = params.experiment(name).profile.measures
    return [column for column, declared in columns().items() if declared["measure"] in added]


def _size(architecture: str, budget: str) -> int:
    if budget != "published":
        return parse_budget(budget)
    return round(10_000 * prod(float(number) for number in re.findall(r"[dwx](\d[\d.]*)", architecture)))


def grid(architectures=ARCHITECTURES, probes=("none",), budgets=BUDGETS, seeds=5) -> pd.DataFrame:
    """A complete experiment in which every run has accuracy 0.9 and every measure 1."""
    keys = list(product(architectures, probes, budgets, range(seeds)))
    return _constant(pd.DataFrame(keys, columns=["architecture", "probe", "budget", "seed"]))


def _constant(runs: pd.DataFrame) -> pd.DataFrame:
    size = pd.Series([_size(*key) for key in zip(runs["architecture"], runs["budget"], strict=True)], dtype=int)
    body = (0.9 * size).astype(int)
    constant = {"status": "finished", "macs": 1_000_000, "peak_activation_bytes": 100_000, "train_loss": 0.1}
    runs = runs.assign(parameters_total=size, parameters_body=body, parameters_head=size - body, **constant)
    for column in ("train_accuracy", "validation_accuracy", "test_accuracy"):
        runs[column] = 0.9
    for column in (
        "dimensionality_projection",
        "forced_projection",
        "r_projection",
        "r_projection_untrained",
        "chi_stages",
        "chi_last",
        "chi_last_untrained",
    ):
        runs[column] = 1.0
    return runs.assign(test_loss=0.3, folder="results")


def noisy(runs: pd.DataFrame, rng: np.random.Generator, sd: float = 0.005, column: str = "test_accuracy"):
    """Add noise of a run, and noise that all runs of a seed share."""
    shared = rng.normal(0, sd, runs["seed"].max() + 1)[runs["seed"]]
    return runs.assign(**{column: runs[column] + rng.normal(0, sd, len(runs)) + shared})


def add(runs: pd.DataFrame, effect: float, column: str = "test_accuracy", **where) -> pd.DataFrame:
    """Add an effect to the runs that `where` names."""
    chosen = np.ones(len(runs), dtype=bool)
    for key, values in where.items():
        chosen &= runs[key].isin(values)
    return runs.assign(**{column: runs[column] + effect * chosen})


def verdicts(test, make, simulations: int = SIMULATIONS) -> pd.Series:
    """Share of each verdict over simulated experiments; `make` gets a random generator."""
    words = []
    for seed in range(simulations):
        found = test.find(make(np.random.default_rng(seed)))
        words.append(verdict(found, found.p))
    return pd.Series(words).value_counts(normalize=True)


def share(counts: pd.Series, *words: str) -> float:
    return float(sum(counts.get(word, 0.0) for word in words))


def allowed(simulations: int = SIMULATIONS, level: float = 0.05) -> float:
    """Largest share of false verdicts that a true error rate of `level` gives in 999 of 1000 test runs."""
    return float(binom.ppf(0.999, simulations, level) / simulations)


def definite(counts: pd.Series) -> float:
    return 1 - share(counts, INCONCLUSIVE)
