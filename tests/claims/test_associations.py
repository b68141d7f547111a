import numpy as np
import pytest

from lowparam.claims.associations import p_values

NONE = np.nan


def test_a_p_value_is_the_larger_of_two_shares():
    orders = np.array([0.5, 0.9, 0.5, 0.1, -0.2])  # 3 of 5 at least as high, 4 of 5 at most as high
    assert p_values(orders, np.array([0.4, 0.6]), "greater") == (0.6, 1.0)
    assert p_values(orders, np.array([0.4, 0.6]), "less") == (1.0, 0.6)
    orders = np.array([0.9, *np.linspace(-0.8, 0.8, 99)])
    assert p_values(orders, np.array([0.9, 0.7, -0.1, 0.0, NONE]), "greater") == (0.5, 1.0)


def test_an_association_that_resamples_can_lose_is_no_verdict():
    """The case of C26: a correlation that few orders reach, whose interval reaches beyond zero."""
    orders = np.array([-0.46, *np.linspace(-0.5, 0.9, 99)])
    resamples = np.linspace(-0.67, 0.26, 1000)
    positive, negative = p_values(orders, resamples, "greater")
    assert np.mean(orders <= orders[0]) < 0.05
    assert negative == pytest.approx(0.26 / 0.93, abs=0.01) and positive > 0.9


def test_resamples_of_a_clear_association_change_no_p_value():
    orders = np.array([0.8, *np.linspace(-0.9, 0.9, 999)])
    assert p_values(orders, np.linspace(0.4, 1.0, 100), "greater") == (np.mean(orders >= 0.8), 1.0)
