"""Error rates by counting, intervals by people, and a false match rate that is never too kind."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.calibration import (
    FmrTable,
    LabelledScores,
    Scores,
    equal_error_rate,
    error_rates,
    fit_fmr,
    summarise,
    threshold_at,
    true_accept_rate,
)

FEW = Scores(genuine=np.array([3.0, 4.0, 5.0, 6.0]), impostor=np.array([0.0, 1.0, 2.0, 3.0, 4.0]))


def test_rates_are_counted_and_the_line_passes():
    at_three, beyond = error_rates(FEW, [3.0, 6.5])
    assert (at_three.fmr, at_three.fnmr, at_three.impostors, at_three.genuines) == (pytest.approx(0.4), 0.0, 5, 4)
    assert (beyond.fmr, beyond.fnmr) == (0.0, 1.0)


def test_no_pairs_of_a_kind_is_an_error():
    with pytest.raises(ValueError, match="impostor"):
        error_rates(Scores(genuine=FEW.genuine, impostor=np.array([])), [1.0])


def test_the_threshold_lets_no_more_strangers_pass_than_asked():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=20_000)
    for fmr in (1e-2, 1e-3, 1e-4):
        threshold = threshold_at(scores, fmr)
        assert threshold is not None
        assert (scores >= threshold).sum() == round(fmr * 20_000)
    assert threshold_at(scores, 1e-5) is None  # twenty thousand strangers cannot show it


def test_ties_do_not_let_more_strangers_pass():
    threshold = threshold_at(np.array([1.0, 2.0, 2.0, 2.0]), 0.25)
    assert threshold is not None and (np.array([1.0, 2.0, 2.0, 2.0]) >= threshold).mean() <= 0.25


def test_equal_error_rate_of_two_normal_curves():
    rng = np.random.default_rng(1)
    scores = Scores(genuine=rng.normal(2.0, 1.0, 50_000), impostor=rng.normal(0.0, 1.0, 50_000))
    assert equal_error_rate(scores) == pytest.approx(0.1587, abs=0.004)  # the normal curve beyond one deviation
    assert true_accept_rate(scores, 1e-2) == pytest.approx(0.372, abs=0.01)


def labelled(people: int, spread: float, seed: int = 0) -> LabelledScores:
    """Everyone against everyone once; some people are harder than others by `spread`."""
    rng = np.random.default_rng(seed)
    first, second = (part.ravel() for part in np.meshgrid(np.arange(people), np.arange(people), indexing="ij"))
    hard = rng.normal(0, spread, people)
    score = rng.normal(0, 1, people * people) + np.where(first == second, 3.0 + hard[first], 0.0)
    return LabelledScores(score=score, first=first, second=second)


def test_a_summary_holds_the_plain_rates_inside_its_intervals():
    pairs = labelled(200, 0.5)
    got = summarise(pairs, (1e-2, 1e-3, 1e-6), rounds=60)
    plain = pairs.split()
    assert (got.genuines, got.impostors) == (200, 39_800)
    assert got.eer == equal_error_rate(plain) and got.eer_interval is not None
    assert got.eer_interval[0] <= got.eer <= got.eer_interval[1]
    for fmr in (1e-2, 1e-3):
        ends = got.true_accept_interval[fmr]
        assert got.true_accept[fmr] == true_accept_rate(plain, fmr)
        assert ends is not None and ends[0] <= got.true_accept[fmr] <= ends[1] and ends[0] < ends[1]
    assert got.true_accept[1e-6] is None and got.true_accept_interval[1e-6] is None


def test_people_not_pairs_are_drawn():
    """Ten pictures of each person say little more than one: the interval must not shrink as if they were ten people."""
    one = labelled(40, 1.5)
    same = one.first == one.second
    copies = LabelledScores(
        score=np.concatenate([one.score[~same], np.repeat(one.score[same], 10)]),
        first=np.concatenate([one.first[~same], np.repeat(one.first[same], 10)]),
        second=np.concatenate([one.second[~same], np.repeat(one.second[same], 10)]),
    )
    a, b = (summarise(p, (1e-2,), rounds=80).true_accept_interval[1e-2] for p in (one, copies))
    assert a is not None and b is not None
    assert b[1] - b[0] > 0.8 * (a[1] - a[0])


@pytest.fixture(scope="module")
def table() -> FmrTable:
    return fit_fmr([np.random.default_rng(2).normal(size=100_000)], {"data": "drawn"})


def test_the_fitted_rate_is_that_of_the_strangers(table):
    fresh = np.random.default_rng(3).normal(size=200_000)
    for similarity in (0.0, 1.0, 2.0, 3.0):
        assert table.fmr(similarity) == pytest.approx((fresh >= similarity).mean(), rel=0.25)
    assert table.fmr(-50.0) == 1.0


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=2))
def test_more_alike_never_means_more_strangers(pair):
    table = fit_fmr([np.linspace(-3, 3, 5000) ** 3], {})
    low, high = sorted(pair)
    assert 0.0 < table.fmr(high) <= table.fmr(low) <= 1.0


def test_beyond_what_n_supports_the_curve_is_careful_and_never_zero(table):
    assert table.supported == pytest.approx(3e-5)
    assert table.points[-1][1] >= table.supported
    for similarity in (4.5, 5.0, 5.5):
        true_rate = 0.5 * math.erfc(similarity / math.sqrt(2))
        assert table.fmr(similarity) > true_rate
    assert table.fmr(1e6) == table.floor > 0.0


def test_no_number_has_no_rate(table):
    assert table.fmr(math.nan) is None and table.fmr(math.inf) is None


@pytest.mark.parametrize("fmr", [0.5, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
def test_threshold_and_rate_are_inverse(table, fmr):
    assert table.fmr(table.threshold(fmr)) == pytest.approx(fmr, rel=1e-6)


def test_a_rate_the_table_does_not_reach_is_an_error(table):
    with pytest.raises(ValueError, match="no threshold"):
        table.threshold(1e-9)


def test_of_two_conditions_the_worse_counts():
    rng = np.random.default_rng(4)
    kind, harsh = rng.normal(0, 1, 10_000), rng.normal(0.5, 1, 10_000)
    both = fit_fmr([kind, harsh], {})
    assert both.fmr(2.0) == pytest.approx((harsh >= 2.0).mean(), rel=0.15)


def test_too_few_strangers_fit_nothing():
    with pytest.raises(ValueError, match="at least 100"):
        fit_fmr([np.zeros(50)], {})


def test_a_table_survives_json_and_a_rising_one_is_refused(table):
    again = FmrTable.from_json(table.to_json())
    assert again.fmr(2.5) == pytest.approx(table.fmr(2.5), rel=1e-3)
    broken = table.to_json()
    broken["points"][3][1] = 0.99
    with pytest.raises(ValueError, match="must rise"):
        FmrTable.from_json(broken)
