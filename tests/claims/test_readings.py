"""Claims under other readings, on runs in which it is known which reading shows what."""

import numpy as np
import pandas as pd
import pytest

from lowparam.claims.readings import BLOCK, PATTERN, PROBE, chosen, judge_readings, primary_test, under
from lowparam.claims.registry import load_registry
from synthetic import add, grid, noisy

READINGS = ["solu_s1", "solu_s2", "solu_s2_ln"]
CLOSE = ["mobilenext", "convnext"]


@pytest.fixture(scope="module")
def judged():
    """Runs in which S2 with layer norm shows the paper's pattern, S1 the opposite, and S2 nothing."""
    rng = np.random.default_rng(1)
    runs = grid(probes=("none", *READINGS), budgets=["25k"])
    runs = add(runs, -0.2, probe=["solu_s1"], architecture=[*CLOSE, "nodepth_a"])
    runs = add(runs, 0.3, "chi_stages", probe=["solu_s1"])
    runs = add(runs, -0.1, probe=["solu_s2_ln"], architecture=["mobilenetv1", "mobilenetv2", "mobilenetv3"])
    runs = add(runs, 0.05, probe=["solu_s2_ln"], architecture=["nodepth_a"])
    runs = add(runs, -0.3, "chi_stages", probe=["solu_s2_ln"])
    runs = noisy(noisy(runs, rng), rng, 0.02, "chi_stages")
    registry = load_registry()
    tests = {(claim, "primary"): primary_test(registry, claim) for claim in PATTERN}
    return judge_readings(registry, "solu", runs, tests, PROBE, READINGS)


def verdicts(judged, reading):
    return dict(judged.loc[judged["reading"] == reading, ["claim", "verdict"]].to_numpy())


def test_only_the_reading_with_the_pattern_shows_it(judged):
    assert set(verdicts(judged, "solu_s2_ln").values()) == {"supported"}
    assert set(verdicts(judged, "solu_s1").values()) == {"contradicted"}
    assert set(verdicts(judged, "solu_s2").values()) == {"inconclusive"}


def test_each_claim_is_corrected_for_the_number_of_readings(judged):
    of_claim = judged[judged["claim"] == "C4"].set_index("reading")
    smallest = of_claim["p"].astype(float).idxmin()
    assert of_claim.loc[smallest, "p_holm"] == pytest.approx(len(READINGS) * of_claim.loc[smallest, "p"])


def test_the_headline_reading_is_judged_as_the_claim_is(judged):
    registry = load_registry()
    test = primary_test(registry, "C5")
    assert under(test, PROBE, PROBE).model_dump(exclude={"id", "primary"}) == test.model_dump(exclude={"id", "primary"})


def test_a_block_takes_the_place_of_nodepth():
    test = under(primary_test(load_registry(), "C7"), BLOCK, "nodepth_c")
    assert test.model_dump()["plus"] == {"architecture": ["nodepth_c"]}


def table(**words):
    rows = [
        (reading, claim, "primary", word)
        for reading, of in words.items()
        for claim, word in zip(PATTERN, of, strict=True)
    ]
    return pd.DataFrame(rows, columns=["reading", "claim", "test", "verdict"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"solu_s2": ["supported"] * 3, "solu_s1": ["supported"] * 2 + ["contradicted"]}, "solu_s2"),
        ({"solu_s2": ["inconclusive"] * 3, "solu_s1": ["contradicted"] * 3}, "solu_s2"),
        ({"solu_s2": ["inconclusive"] * 3, "solu_s1": ["inconclusive"] * 3}, "solu_s1"),
    ],
)
def test_the_reading_for_other_data_follows_the_rule(words, expected):
    assert chosen(table(**words), list(words)) == expected
