import math

import numpy as np
import pandas as pd
import pytest

from lowparam.interference.reliability import icc, icc_of_all


def test_it_is_the_share_of_variance_between_configurations():
    generator = np.random.default_rng(0)
    of = np.repeat(np.arange(400), 5)
    values = pd.Series(3 * generator.normal(size=400)[of] + 4 * generator.normal(size=2000))
    assert icc(values, pd.Series(of)) == pytest.approx(9 / 25, abs=0.05)


def test_the_published_example_is_met():
    # Shrout & Fleiss 1979, table 2: six targets, four judges, ICC(1,1) = .17.
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    values = pd.Series([float(v) for row in ratings for v in row])
    assert icc(values, pd.Series(np.repeat(range(6), 4))) == pytest.approx(0.17, abs=0.005)


def test_one_configuration_or_one_seed_say_nothing():
    assert math.isnan(icc(pd.Series([1.0, 2.0]), pd.Series(["a", "a"])))
    assert math.isnan(icc(pd.Series([1.0, 2.0]), pd.Series(["a", "b"])))


def test_every_measure_gets_a_row():
    runs = pd.DataFrame(
        {
            "architecture": ["a", "a", "b", "b"],
            "probe": "none",
            "budget": 10_000,
            "r": [1.0, 1.1, 2.0, 2.1],
            "chi": [0.5, None, 0.4, 0.6],
        }
    )
    table = icc_of_all(runs, ["r", "chi"]).set_index("measure")
    assert table.loc["r", "icc"] > 0.9
    assert table.loc["chi", "runs"] == 3
