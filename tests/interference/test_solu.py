import numpy as np
import pandas as pd
import pytest

from lowparam.interference.solu import gaps, summarise


@pytest.fixture
def runs() -> pd.DataFrame:
    rows = []
    for seed, (base, solu, train) in enumerate([(0.95, 0.80, 0.82), (0.96, 0.84, 0.85), (0.94, 0.76, 0.80)]):
        common = {"architecture": "mobilenetv1", "budget": 10_000, "seed": seed}
        rows.append({**common, "probe": "none", "test_accuracy": base, "train_accuracy": 1.0})
        rows.append({**common, "probe": "solu_s1", "test_accuracy": solu, "train_accuracy": train})
    return pd.DataFrame(rows)


def test_gaps_are_paired_by_seed(runs):
    found = gaps(runs.sample(frac=1, random_state=0)).sort_values("seed")
    assert found["gap"].tolist() == pytest.approx([0.15, 0.12, 0.18])
    assert found["relative_gap"].tolist() == pytest.approx([0.15 / 0.95, 0.12 / 0.96, 0.18 / 0.94])
    assert found["train_gap"].tolist() == pytest.approx([0.18, 0.15, 0.20])


def test_the_interval_is_that_of_the_paired_t_test(runs):
    row = summarise(gaps(runs)).iloc[0]
    half = 4.302653 * np.std([0.15, 0.12, 0.18], ddof=1) / np.sqrt(3)
    assert (row["gap"], row["lower"], row["upper"]) == pytest.approx((0.15, 0.15 - half, 0.15 + half), rel=1e-5)


def test_diverged_and_lonely_runs_give_no_pair(runs):
    runs.loc[(runs["seed"] == 1) & (runs["probe"] == "solu_s1"), "test_accuracy"] = np.nan
    runs = runs[~((runs["seed"] == 2) & (runs["probe"] == "none"))]
    assert gaps(runs)["seed"].tolist() == [0]
    assert summarise(gaps(runs))[["lower", "upper"]].isna().all().all()
