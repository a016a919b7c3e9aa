"""Error rates by counting, intervals by people, and a false match rate that is never too kind."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.calibration import (
    CLEAN,
    POOR,
    POOR_EYES,
    PRINTED,
    SHIPPED_FILE,
    FaceCalibration,
    FmrTable,
    LabelledScores,
    Odds,
    OwnPair,
    Scores,
    TooFewPairs,
    applied,
    bands,
    cllr,
    digest,
    equal_error_rate,
    error_rates,
    fit_fmr,
    fit_odds,
    fit_own,
    never_kinder,
    rated,
    shipped,
    summarise,
    threshold_at,
    true_accept_rate,
)
from verification.evidence import ChangeReason, Measures, Pair, PairMeasures

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


# Odds


def two_bells(people: int = 300, apart: float = 3.0, seed: int = 0) -> LabelledScores:
    """One own pair a person and four with strangers, from normal curves of deviation 1: the true log odds are linear."""
    rng = np.random.default_rng(seed)
    who = np.arange(people)
    first, second = np.concatenate([who] * 5), np.concatenate([who, *(np.roll(who, k) for k in (1, 2, 3, 4))])
    return LabelledScores(score=rng.normal(np.where(first == second, apart, 0.0), 1.0), first=first, second=second)


def test_odds_of_two_normal_curves_are_found_again():
    odds = fit_odds([two_bells(3000)], {}, ridge=1e-4, rounds=30)
    assert odds.slope == pytest.approx(3.0, rel=0.08)  # by theory apart / variance
    assert odds.share(1.5) == pytest.approx(0.5, abs=0.03)  # half-way
    low, high = odds.interval(1.5)
    assert low < 0.5 < high and high - low < 0.12


def test_equal_priors_hold_however_many_strangers_there_are():
    many = two_bells(2000)
    own = many.first == many.second
    few = np.concatenate([np.flatnonzero(own), np.flatnonzero(~own)[:2000]])
    rare = LabelledScores(score=many.score[few], first=many.first[few], second=many.second[few])
    assert fit_odds([many], {}, ridge=1e-4, rounds=0).share(1.5) == pytest.approx(
        fit_odds([rare], {}, ridge=1e-4, rounds=0).share(1.5), abs=0.03
    )


def test_kinds_of_pairs_that_never_meet_still_give_a_finite_slope():
    odds = fit_odds([two_bells(apart=40.0)], {}, ridge=1e-4, rounds=5)
    assert 0 < odds.slope < 20 and 0.2 < odds.share(20.0) < 0.8


def test_odds_need_both_kinds_and_likeness_that_speaks_for_one_person():
    pairs = two_bells()
    own = pairs.first == pairs.second
    with pytest.raises(ValueError, match="different people"):
        fit_odds([LabelledScores(score=pairs.score[own], first=pairs.first[own], second=pairs.second[own])], {}, ridge=1e-4)
    with pytest.raises(ValueError, match="does not speak"):
        fit_odds([replace(pairs, score=-pairs.score)], {}, ridge=1e-4, rounds=0)


@pytest.mark.parametrize(("share", "shown"), [(0.9999, 99), (0.9949, 99), (0.9899, 98), (0.42, 42), (0.004, 1)])
def test_a_percentage_is_rounded_down_and_never_above_99(share, shown):
    odds = Odds(offset=0.0, slope=1.0, spread=(0.0, 0.0, 0.0))
    similarity = math.log(share / (1 - share)) + 1e-9
    assert odds.percentage(similarity) == shown
    assert odds.percentage(float("nan")) is None and odds.share(float("inf")) is None
    assert odds.percentage(1e9) == 99 and odds.percentage(-1e9) == 1


def test_the_cost_of_odds_is_one_where_they_say_nothing_and_more_where_they_mislead():
    scores = two_bells(2000).split()
    nothing, right, wrong = (Odds(offset=o, slope=s, spread=(0.0, 0.0, 0.0)) for o, s in ((0, 1e-9), (-4.5, 3), (4.5, -3)))
    assert cllr(nothing, scores) == pytest.approx(1.0, abs=1e-6)
    assert cllr(right, scores) < 0.3 and cllr(wrong, scores) > 3.0


def test_right_odds_hold_in_every_band_and_boastful_ones_do_not():
    pairs = two_bells(4000)
    for boast, holds in ((1.0, True), (3.0, False)):
        share = np.array([Odds(offset=-4.5 * boast, slope=3.0 * boast, spread=(0.0, 0.0, 0.0)).share(s) for s in pairs.score])
        found = bands(share, pairs, rounds=100)
        assert sum(b.genuines for b in found) == 4000 and sum(b.impostors for b in found) == 16_000
        assert all(b.holds for b in found) is holds


def test_a_band_in_which_nobody_erred_promises_no_more_than_its_pairs_can():
    pairs = LabelledScores(score=np.array([9.0, 9.0, -9.0, -9.0]), first=np.array([0, 1, 0, 1]), second=np.array([0, 1, 1, 0]))
    top = bands(np.array([0.95, 0.95, 0.0, 0.0]), pairs, rounds=50)[-1]
    assert (top.genuines, top.impostors, top.true) == (2, 0, 1.0) and top.interval[0] < 0.7


def test_odds_and_calibrations_survive_their_json():
    odds = Odds(offset=-9.5, slope=1.25, spread=(0.01, -0.001, 0.0005), card={"people": 3})
    assert Odds.from_json(odds.to_json()) == odds
    with pytest.raises(ValueError, match="slope"):
        Odds.from_json({**odds.to_json(), "slope": -1.0})
    again = FaceCalibration.from_json(shipped().to_json())
    assert again.to_json() == shipped().to_json() and again.fmr(Pair.SELFIE_DOCUMENT, 6.0) == shipped().fmr(
        Pair.SELFIE_DOCUMENT, 6.0
    )


def test_the_shipped_label_is_that_of_its_numbers():
    data = json.loads(SHIPPED_FILE.read_text())
    assert data["label"].endswith(digest(data))
    data["tables"]["clean"]["points"][3][0] += 0.01
    assert not data["label"].endswith(digest(data))


# A deployment's own


def own_pairs(genuine: int, impostor: int, *, of_strangers: float = 0.0, seed: int = 0) -> list[OwnPair]:
    rng = np.random.default_rng(seed)
    scores = [*((s, True) for s in rng.normal(11, 1.5, genuine)), *((s, False) for s in rng.normal(of_strangers, 1.7, impostor))]
    return [OwnPair(pair=Pair.SELFIE_DOCUMENT, similarity=float(s), same=k, person=str(n)) for n, (s, k) in enumerate(scores)]


@pytest.mark.parametrize(("genuine", "impostor"), [(299, 0), (269, 30), (271, 29), (29, 400), (0, 0)])
def test_too_few_pairs_are_refused_with_how_many_there_are(genuine, impostor):
    with pytest.raises(TooFewPairs, match=f"^{genuine + impostor} of 300 labelled pairs: {genuine} of one person, {impostor} "):
        fit_own(shipped(), own_pairs(genuine, impostor), label="own", date="2026-11-23")


def test_an_own_calibration_is_never_kinder_than_the_shipped_one():
    for of_strangers in (-2.0, 0.0, 1.0, 3.0):
        own = fit_own(shipped(), own_pairs(260, 60, of_strangers=of_strangers), label="own", date="2026-11-23", rounds=20)
        for pair in Pair:
            for similarity in (2.0, 5.0, 7.0, 9.0):
                assert own.fmr(pair, similarity) >= shipped().fmr(pair, similarity)
    assert own.fmr(Pair.SELFIE_DOCUMENT, 7.0) > 10 * shipped().fmr(Pair.SELFIE_DOCUMENT, 7.0)  # strangers who score 3 higher
    assert own.card["pairs"] == 320 and own.card["moved_by"] > 2.5 and own.card["base"] == shipped().label


def test_a_few_look_alikes_among_many_strangers_move_it_by_as_much_as_they_need():
    alike = [OwnPair(pair=Pair.SELFIE_DOCUMENT, similarity=8.5, same=False, person=f"alike {n}") for n in range(10)]
    own = fit_own(shipped(), [*own_pairs(270, 290), *alike], label="own", date="2026-11-23", rounds=5)
    assert own.fmr(Pair.SELFIE_DOCUMENT, 8.5) >= 0.999 / (10 * 300) > shipped().fmr(Pair.SELFIE_DOCUMENT, 8.5)


def test_strangers_like_those_of_the_shipped_one_move_it_by_little():
    own = fit_own(shipped(), own_pairs(1000, 3000), label="own", date="2026-11-23", rounds=10)
    assert own.card["moved_by"] < 0.2
    assert own.percentage(Pair.SELFIE_DOCUMENT, 11.0) == 99 and own.percentage(Pair.SELFIE_DOCUMENT, 1.0) == 1


def of_kind(pair: Pair, genuine: int, impostor: int, *, of_strangers: float, seed: int = 0) -> list[OwnPair]:
    return [
        replace(p, pair=pair, person=f"{pair} {p.person}")
        for p in own_pairs(genuine, impostor, of_strangers=of_strangers, seed=seed)
    ]


def test_each_kind_of_pair_is_moved_by_its_own_strangers_where_there_are_enough_and_says_so():
    pairs = [
        *of_kind(Pair.SELFIE_DOCUMENT, 120, 60, of_strangers=3.0),
        *of_kind(Pair.SELFIE_ON_FILE, 120, 60, of_strangers=0.0, seed=1),
        *of_kind(Pair.DOCUMENT_ON_FILE, 120, 29, of_strangers=0.0, seed=2),
    ]
    own = fit_own(shipped(), pairs, label="own", date="2026-11-23", rounds=5)
    kinds = own.card["kinds"]
    assert {k: (v["genuine_pairs"], v["impostor_pairs"], v["own"]) for k, v in kinds.items()} == {
        "selfie_document": (120, 60, True), "selfie_on_file": (120, 60, True), "document_on_file": (120, 29, False),
    }  # fmt: skip
    moved = {k: v["moved_by"] for k, v in kinds.items()}
    assert moved["selfie_on_file"] < 0.8 < moved["document_on_file"] == own.card["moved_by"] < 2.5 < moved["selfie_document"]
    for pair in Pair:
        by = moved[pair.value]
        assert own.fmr(pair, 6.0) == pytest.approx(shipped().fmr(pair, 6.0 - by), rel=1e-3)
    assert own.odds["selfie_on_file"].offset != own.odds["selfie_document"].offset
    assert own.odds["document_on_file"] == own.odds[PRINTED]
    assert own.one_may_decide


def test_what_is_told_by_kind_survives_being_kept():
    own = fit_own(shipped(), of_kind(Pair.SELFIE_DOCUMENT, 260, 60, of_strangers=2.0), label="own", date="2026-11-23", rounds=5)
    tables = {name: FmrTable.from_json(table.to_json()) for name, table in own.tables.items()}
    kept = replace(own, tables=tables)
    for pair in Pair:
        for similarity in (-3.0, 4.2, 7.0, 11.0):
            assert kept.fmr(pair, similarity) == pytest.approx(own.fmr(pair, similarity), rel=1e-2)
    assert never_kinder(kept, shipped())


def test_one_reference_may_decide_only_where_selfie_and_passport_have_strangers_of_their_own():
    few = [*of_kind(Pair.SELFIE_ON_FILE, 260, 60, of_strangers=0.0), *of_kind(Pair.SELFIE_DOCUMENT, 40, 29, of_strangers=0.0)]
    own = fit_own(shipped(), few, label="own face calibration 1", date="2026-11-23", rounds=5)
    rated_run = applied(a_run(), own, shipped())
    assert not own.one_may_decide and not rated_run.own_calibration and rated_run.engines[-1] == own.label
    assert rated_run.pairs[Pair.SELFIE_DOCUMENT].fmr >= a_run().pairs[Pair.SELFIE_DOCUMENT].fmr
    before_kinds = replace(own, card={k: v for k, v in own.card.items() if k != "kinds"})
    assert before_kinds.one_may_decide


@given(
    st.lists(st.tuples(st.floats(0.05, 3), st.floats(0.02, 0.9)), min_size=2, max_size=6),
    st.lists(st.tuples(st.floats(0.05, 3), st.floats(0.02, 0.9)), min_size=2, max_size=6),
    st.floats(-1, 3),
    st.floats(-20, 40),
)
def test_never_below_is_true_exactly_where_no_similarity_contradicts_it(steps, others, by, at):
    one, other = a_curve(steps), a_curve(others).moved(by, {})
    grid = [at, *np.linspace(-20, 40, 400)]
    below = [s for s in grid if one.fmr(s) < other.fmr(s) * (1 - 1e-6)]
    assert not (one.never_below(other) and below)
    assert one.never_below(one) and one.moved(0.7, {}).never_below(one) and not one.never_below(one.moved(0.7, {}))


def a_curve(steps: list[tuple[float, float]]) -> FmrTable:
    """A curve by its steps: so much farther, and the rate falls to this share."""
    points, at, rate = [(-1.0, 1.0)], -1.0, 1.0
    for far, share in steps:
        at, rate = at + far, rate * share
        points.append((at, rate))
    return FmrTable(points=tuple(points), supported=1e-6, floor=1e-12)


def test_a_curve_that_is_lower_on_a_short_stretch_alone_is_found():
    one = FmrTable(points=((0.0, 1.0), (1.0, 0.1), (2.0, 0.01), (3.0, 0.001)), supported=1e-3, floor=1e-7)
    dented = replace(one, points=((0.0, 1.0), (1.0, 0.1), (1.5, 0.03), (2.0, 0.01), (3.0, 0.001)))
    assert one.never_below(dented) and not dented.never_below(one)


def test_an_old_run_is_rated_anew_by_another_calibration_or_by_the_shipped_one():
    first = fit_own(shipped(), own_pairs(260, 60, of_strangers=3.0), label="own face calibration 1", date="2026-11-23", rounds=5)
    second = fit_own(shipped(), own_pairs(260, 60, of_strangers=1.0), label="own face calibration 2", date="2026-11-23", rounds=5)
    run = applied(a_run(), first, shipped())
    assert rated(run, None, shipped()) == a_run()
    again = rated(run, second, shipped())
    assert again == applied(a_run(), second, shipped()) and again.engines[-1] == second.label
    assert again.pairs[Pair.SELFIE_DOCUMENT].fmr < run.pairs[Pair.SELFIE_DOCUMENT].fmr
    other = a_run(engines=("some other network",))
    assert rated(other, second, shipped()) == other


def a_run(**changes: object) -> Measures:
    found = PairMeasures(similarity=8.0, fmr=shipped().fmr(Pair.SELFIE_DOCUMENT, 8.0), sface=0.7, dlib=0.6, voices_agree=True)
    given = dict(
        reason=ChangeReason.MARRIAGE, document_type=None, country=None, mrz_valid=None, days_to_expiry=None,
        pairs={Pair.SELFIE_DOCUMENT: found}, engines=(*shipped().engines, shipped().label),
    )  # fmt: skip
    return Measures(**{**given, **changes})  # type: ignore[arg-type]


def test_an_own_calibration_rates_a_run_and_is_named_by_it():
    own = fit_own(shipped(), own_pairs(260, 60, of_strangers=3.0), label="own face calibration 1", date="2026-11-23", rounds=5)
    rated = applied(a_run(), own, shipped())
    assert rated.own_calibration and rated.engines[-1] == "own face calibration 1"
    assert rated.pairs[Pair.SELFIE_DOCUMENT].fmr == own.fmr(Pair.SELFIE_DOCUMENT, 8.0) > a_run().pairs[Pair.SELFIE_DOCUMENT].fmr


def test_a_rate_that_a_run_measured_is_never_lowered():
    own = fit_own(shipped(), own_pairs(260, 60), label="own face calibration 1", date="2026-11-23", rounds=5)
    higher = replace(a_run().pairs[Pair.SELFIE_DOCUMENT], fmr=0.25)
    assert applied(a_run(pairs={Pair.SELFIE_DOCUMENT: higher}), own, shipped()).pairs[Pair.SELFIE_DOCUMENT].fmr == 0.25


def test_scores_of_another_scale_are_not_rated_by_it():
    own = fit_own(shipped(), own_pairs(260, 60), label="own", date="2026-11-23", rounds=5)
    other = a_run(engines=("some other network",))
    assert applied(other, own, shipped()) == other
    unrated = replace(a_run().pairs[Pair.SELFIE_DOCUMENT], fmr=None)  # voices without a calibration
    assert applied(a_run(pairs={Pair.SELFIE_DOCUMENT: unrated}), own, shipped()).pairs[Pair.SELFIE_DOCUMENT].fmr is None


def test_a_poor_print_is_shown_odds_of_its_own():
    held = shipped()
    score = 4.0
    usual = held.percentage(Pair.SELFIE_DOCUMENT, score, eyes=POOR_EYES)
    assert usual == held.percentage(Pair.SELFIE_DOCUMENT, score) == held.odds[PRINTED].percentage(score)
    poor = held.percentage(Pair.SELFIE_DOCUMENT, score, eyes=POOR_EYES - 0.1)
    assert poor == held.odds[POOR].percentage(score) and poor > usual
    assert held.percentage(Pair.SELFIE_ON_FILE, score, eyes=10.0) == held.odds[CLEAN].percentage(score)


def test_a_poor_print_is_not_rated_where_no_odds_were_fitted_for_it():
    own = fit_own(shipped(), own_pairs(260, 60), label="own", date="2026-11-23", rounds=5)
    assert own.percentage(Pair.SELFIE_DOCUMENT, 7.0, eyes=30.0) is None
    assert own.percentage(Pair.SELFIE_DOCUMENT, 7.0, eyes=60.0) == own.percentage(Pair.SELFIE_DOCUMENT, 7.0)
