from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from lowparam.claims.finding import INCONCLUSIVE, from_seeds, strongest, weakest
from lowparam.claims.judge import _reason
from lowparam.claims.statistics import _power, holm, mean_interval, one_sided, seeds_needed, smallest_effect


def test_the_interval_of_the_mean_is_students():
    values = np.array([1.0, 2.0, 4.0])
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    estimate = mean_interval(values)
    assert (estimate.low, estimate.high) == pytest.approx((low, high))


def test_a_diverged_seed_is_not_silently_left_out():
    assert np.isnan(mean_interval([1.0, np.nan]).mean)


def test_one_sided_p_is_that_of_scipy():
    values = np.array([0.3, 0.9, 0.4, 1.0])
    expected = stats.ttest_1samp(values, 0.1, alternative="greater").pvalue
    assert one_sided(values, 0.1) == pytest.approx(expected)


def test_equal_values_are_no_proof():
    assert one_sided(np.array([0.2, 0.2, 0.2]), 0.0) == 0.5


def test_the_smallest_effect_is_seen_four_times_in_five():
    rng = np.random.default_rng(0)
    effect = smallest_effect(2.0, 5)
    values = rng.normal(effect, 2.0, (4000, 5))
    p = stats.ttest_1samp(values, 0.0, axis=1).pvalue
    assert np.mean(p < 0.05) == pytest.approx(0.8, abs=0.02)


def test_the_seeds_needed_are_enough_and_not_too_many():
    rng = np.random.default_rng(0)
    needed = int(seeds_needed(2.0, 1.0))
    for n, enough in ((needed, True), (needed - 4, False)):
        p = stats.ttest_1samp(rng.normal(1.0, 2.0, (4000, n)), 0.0, axis=1).pvalue
        assert (np.mean(p < 0.05) > 0.79) == enough


def test_power_is_that_of_statsmodels_and_never_missing():
    for effect in (0.3, 1.0, 2.0, 5.0, 6.83, 10.0, 30.0):
        for n in (2, 3, 4, 10):
            theirs, ours = TTestPower().power(effect, n, 0.05 / 9), _power(effect, n, 0.05 / 9)
            assert 0 < ours <= 1 and (np.isnan(theirs) or ours == pytest.approx(theirs))


def test_a_large_effect_needs_the_seeds_that_detect_it():
    """The power of statsmodels is NaN for this effect with 3 seeds, which ended the search there."""
    assert seeds_needed(6.47, 44.2, 0.05 / 9) == 4
    assert smallest_effect(6.47, 3, 0.05 / 9) > 44.2 > smallest_effect(6.47, 4, 0.05 / 9)


@pytest.mark.parametrize("effect", [1e5, 1e9, 1e16])
def test_a_huge_effect_needs_two_seeds_and_ends_the_search(effect):
    """Both tails of the noncentral t distribution are NaN there, which counted as no power."""
    assert seeds_needed(1.0, effect) == 2 and _power(effect, 5, 0.05 / 9) == pytest.approx(1)


def test_values_that_are_equal_up_to_rounding_have_no_spread():
    values = 1 + 1e-16 * np.array([1, 2, 3, 5])
    found = from_seeds(values, direction="greater", margin=0.0, unit="r")
    assert (found.p, found.sd) == (1.0, 0.0) and np.isnan(found.power(0.05)).all()
    assert "no variation to judge by" in found.note


def test_no_effect_is_settled_by_no_number_of_seeds():
    assert seeds_needed(1.0, 0.0) == np.inf


def test_holm_counts_questions_without_runs():
    assert holm([0.01, np.nan, 0.04])[[0, 2]] == pytest.approx([0.03, 0.08])
    assert np.isnan(holm([0.01, np.nan])[1])
    p = np.random.default_rng(0).uniform(0, 0.1, 12)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


@pytest.mark.parametrize(
    ("needed", "printed"),
    [
        (2.0, ""),
        (3.0, ""),
        (4.0, "4 seeds would settle it."),
        (967.0, "100 of them would not"),
        (np.inf, "100 of them"),
    ],
)
def test_remarks_ask_for_more_seeds_than_there_are_and_for_no_absurd_number(needed, printed):
    finding = SimpleNamespace(
        note="", diverged=0, untrained=0, failed_arm="", n=3, replicates="seeds", power_unit="", unit="points"
    )
    remark = _reason(finding, INCONCLUSIVE, (1.0, needed))
    assert printed in remark and ("settle" in remark) == bool(printed)


def test_several_comparisons_share_the_level_of_their_power():
    """A claim that any of five comparisons can contradict is contradicted at a fifth of the level."""
    rng = np.random.default_rng(0)
    one = from_seeds(rng.normal(-1.0, 1.0, 5), direction="greater", margin=0.0, unit="points")
    against = weakest({str(k): one for k in range(5)}, "against")
    assert against.power(0.05) == one.power(0.01) != one.power(0.05)
    for_all = from_seeds(rng.normal(1.0, 1.0, 5), direction="greater", margin=0.0, unit="points")
    assert weakest({"a": for_all, "b": for_all}, "against").power(0.05) == for_all.power(0.05)
    assert strongest({"a": for_all, "b": for_all}).power(0.05) == for_all.power(0.025)
