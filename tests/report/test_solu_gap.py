"""The SoLU gap: accuracy without minus accuracy with a probe, paired by seed."""

import numpy as np
import pandas as pd
import pytest

from lowparam.claims.statistics import mean_interval
from lowparam.report.estimates import gap_by_seed


@pytest.fixture
def runs() -> pd.DataFrame:
    rows = []
    for seed, (base, solu) in enumerate([(0.95, 0.80), (0.96, 0.84), (0.94, 0.76)]):
        common = {"architecture": "mobilenetv1", "budget": "10k", "seed": seed}
        rows.append({**common, "probe": "none", "test_accuracy": base})
        rows.append({**common, "probe": "solu_s1", "test_accuracy": solu})
    return pd.DataFrame(rows)


def test_gaps_are_paired_by_seed(runs):
    gaps = gap_by_seed(runs.sample(frac=1, random_state=0)).sort_values("seed")
    assert gaps["gap"].tolist() == pytest.approx([15, 12, 18])


def test_the_interval_is_that_of_the_paired_t_test(runs):
    estimate = mean_interval(gap_by_seed(runs)["gap"])
    half = 4.302653 * np.std([15, 12, 18], ddof=1) / np.sqrt(3)
    assert (estimate.mean, estimate.low, estimate.high) == pytest.approx((15, 15 - half, 15 + half), rel=1e-5)


def test_diverged_and_lonely_runs_give_no_gap(runs):
    runs.loc[(runs["seed"] == 1) & (runs["probe"] == "solu_s1"), "test_accuracy"] = np.nan
    runs = runs[~((runs["seed"] == 2) & (runs["probe"] == "none"))]
    gaps = gap_by_seed(runs).set_index("seed")["gap"]
    assert gaps.dropna().index.tolist() == [0]
    assert np.isnan(mean_interval(gaps.dropna()).half_width)
