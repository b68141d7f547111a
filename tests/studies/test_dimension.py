import numpy as np
import pytest
from sympy import GF, ZZ
from sympy.polys.matrices import DomainMatrix

from lowparam.errors import LowparamError
from lowparam.studies.star.dimension import (
    PRIME,
    closed_form,
    count_dimensions,
    count_growth,
    evaluate,
    float_rank,
    monomials,
    paper_growth,
    printed_form,
    rank_modulo,
)


@pytest.fixture(scope="module")
def counted():
    return count_dimensions(12)


def test_rank_of_star_equals_closed_form_for_every_width(counted):
    star = counted[counted["operator"] == "star"]
    d = star["channels"]
    assert sorted(set(d)) == list(range(1, 13))
    assert (star["rank"] == ((d + 1) * (d + 2) // 2).where(star["bias"], d * (d + 1) // 2)).all()
    assert star["proved"].all()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("channels", range(13, 25))
def test_rank_of_wide_star_equals_closed_form(channels, bias):
    expected = (channels + 1) * (channels + 2) // 2 if bias else channels * (channels + 1) // 2
    rng = np.random.default_rng(channels)
    values = evaluate("star", channels, bias=bias, layers=1, functions=expected + 5, points=expected + 5, rng=rng)
    assert rank_modulo(values) == expected


@pytest.mark.slow
def test_wide_layers_do_not_reach_the_printed_form():
    wide = count_dimensions(24).query("operator == 'star' and channels > 12")
    assert (wide["functions"] > wide["printed_form"]).all()
    assert (wide["rank"] == wide["closed_form"]).all()
    assert (wide["rank"] < wide["printed_form"]).all()


def test_rank_of_sum_is_that_of_an_affine_map_and_not_the_star_form(counted):
    added = counted[counted["operator"] == "sum"]
    d = added["channels"]
    assert (added["rank"] == d + added["bias"]).all()
    star_form = [closed_form("star", c, bias=b) for c, b in zip(d, added["bias"], strict=True)]
    wide = d >= 2
    assert not (added["rank"] == star_form)[wide].any()


def test_printed_form_is_never_reached_although_enough_functions_are_drawn(counted):
    star = counted[(counted["operator"] == "star") & (counted["channels"] >= 2)]
    assert (star["functions"] > star["printed_form"]).all()
    assert (star["rank"] < star["printed_form"]).all()
    assert not star["printed_attainable"].any()


def test_float64_agrees_with_the_exact_rank_for_one_layer(counted):
    assert (counted["float_rank"] == counted["rank"]).all()
    assert (counted["float_gap"] > 1e10).all()


def test_growth_equals_the_number_of_monomials_of_the_doubled_degree():
    growth = count_growth(layers=3, largest=6, limit=250)
    for row in growth.itertuples():
        assert row.rank == monomials(row.channels, 2**row.layers, bias=row.bias)
    assert {(3, True, 3), (3, False, 4), (2, True, 6)} <= set(
        zip(growth["layers"], growth["bias"], growth["channels"], strict=True)
    )
    assert growth["closed_form"].max() <= 250


def test_depth_adds_no_dimension_while_only_the_last_layer_varies():
    growth = count_growth(layers=3, largest=4, limit=200)
    one_layer = [closed_form("star", row.channels, bias=row.bias) for row in growth.itertuples()]
    assert (growth["rank_last"] == one_layer).all()
    assert (growth["closed_form_last"] == one_layer).all()


def test_stacked_sums_stay_affine():
    rng = np.random.default_rng(0)
    values = evaluate("sum", 3, bias=True, layers=3, functions=20, points=20, rng=rng)
    assert rank_modulo(values) == 4


@pytest.mark.parametrize("rank", [1, 4, 9])
def test_elimination_agrees_with_sympy(rank):
    rng = np.random.default_rng(rank)
    left, right = rng.integers(0, 1000, (11, rank)), rng.integers(0, 1000, (rank, 9))
    matrix = left @ right
    matrix[:, 2] = 0
    known = DomainMatrix(matrix.tolist(), matrix.shape, ZZ).convert_to(GF(PRIME)).rank()
    assert rank_modulo(matrix) == known == min(rank, 8)


def test_rank_modulo_a_prime_may_fall_below_the_rational_rank_but_not_above():
    matrix = np.array([[7, 0], [0, 1]])
    assert rank_modulo(matrix, prime=7) == 1
    assert rank_modulo(matrix) == 2


def test_values_modulo_the_prime_are_those_of_the_polynomial():
    rng = np.random.default_rng(3)
    values = evaluate("star", 2, bias=True, layers=1, functions=1, points=5, rng=rng)
    rng = np.random.default_rng(3)
    points = rng.integers(0, PRIME, (1, 5, 2))[0].tolist()
    draws = [rng.integers(0, PRIME, shape) for shape in ((1, 1, 2), (1, 1, 1), (1, 1, 2), (1, 1, 1))]
    (a, b), (c, d) = draws[0].ravel().tolist(), draws[2].ravel().tolist()
    e, f = draws[1].item(), draws[3].item()
    assert values[:, 0].tolist() == [(a * x + b * y + e) * (c * x + d * y + f) % PRIME for x, y in points]


def test_float_rank_shows_a_small_gap_where_the_rank_is_wrong():
    values = evaluate(
        "star", 6, bias=True, layers=1, functions=40, points=40, rng=np.random.default_rng(0), modulo=None
    )
    assert float_rank(values, 28)[1] > 1e10
    assert float_rank(values, 20)[1] < 100


def test_formulas():
    assert monomials(2, 4, bias=True) == 15
    assert monomials(2, 4, bias=False) == 5
    assert printed_form(10) == 200
    assert paper_growth(10, 1) == pytest.approx(50)
    assert paper_growth(4, 3) == pytest.approx(8**4)


def test_unknown_operator_is_refused_in_one_line():
    with pytest.raises(LowparamError, match="star or sum, not 'plus'"):
        closed_form("plus", 3, bias=True)
