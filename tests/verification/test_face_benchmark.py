"""The benchmark of the faces on made-up encodings: what it counts, what it leaves out, and that it never saw whom it measures."""

from __future__ import annotations

import json
import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from tests.benchmarks import faces as benchmark
from verification import calibration as cal
from verification.calibration import CLEAN, POOR, PRINTED
from verification.faces import compare, voices

PEOPLE = 60


def made_up(noise: float = 0.25, moved: float = 0.6, seed: int = 0) -> tuple[benchmark.People, benchmark.Levels]:
    """Sixty people, an official and a candid photo each, and pages made of the candid ones: a shift for all, and more noise."""
    dice = np.random.default_rng(seed)
    images: list[dict[str, Any]] = []
    faces: benchmark.Levels = {None: {}, 1: {}, 2: {}, 3: {}}
    true = {"sface": dice.normal(size=(PEOPLE, 24)), "dlib": dice.normal(size=(PEOPLE, 24)) * 0.12}
    shift = {"sface": dice.normal(size=24) * moved, "dlib": dice.normal(size=24) * 0.12 * moved}

    def code(person: int, level: int | None) -> dict[str, Any]:
        worse = {None: 1.0, 1: 1.2, 2: 2.0, 3: 3.0}[level]
        made: dict[str, Any] = {
            voice: true[voice][person]
            + (0 if level is None else shift[voice])
            + dice.normal(size=24) * noise * worse * (1 if voice == "sface" else 0.12)
            for voice in true
        }
        condition = CLEAN if level is None else POOR if level == 3 else PRINTED
        return {**made, "chip": dice.normal(size=(8, 8)), "condition": condition}

    for person in range(PEOPLE):
        for kind in ("house", "congress"):
            about = {"gender": "female" if person % 2 else "male", "ethnicity": "a" if person % 3 else "b"}
            images.append({"set": kind, "person": f"p{person}", "born": f"{1950 + person % 40}-01-01", **about})
            n = len(images) - 1
            faces[None][n] = code(person, None)
            if kind == "congress":
                for level in (1, 2, 3):
                    faces[level][n] = code(person, level)
    number = {f"p{n}": n for n in range(PEOPLE)}
    return benchmark.People(images=images, number=number, repeats=frozenset()), faces


@pytest.fixture(scope="module")
def world() -> tuple[benchmark.People, benchmark.Levels]:
    return made_up()


def test_every_pair_counts_once_and_copies_of_one_photograph_do_not(world):
    people, coded = world
    everyone = list(coded[None])
    scores = np.zeros((len(everyone), len(everyone)))
    pairs = benchmark.pairs_of(people, everyone, everyone, scores)
    assert len(pairs.score) == math.comb(2 * PEOPLE, 2) and (pairs.first == pairs.second).sum() == PEOPLE
    copies = benchmark.People(images=people.images, number=people.number, repeats=frozenset({(0, 1), (4, 7)}))
    fewer = benchmark.pairs_of(copies, everyone, everyone, scores)
    assert len(fewer.score) == len(pairs.score) - 2 and (fewer.first == fewer.second).sum() == PEOPLE - 1


def test_like_looking_strangers_are_of_one_sex_and_label_and_of_like_age(world):
    people, coded = world
    like = benchmark._like(people, coded, benchmark.Fit.on(people, coded), None, None)
    expected = 2 * sum(people.alike(2 * a, 2 * b) for a, b in combinations(range(PEOPLE), 2))
    assert (like.first != like.second).sum() == expected and (like.first == like.second).sum() == PEOPLE
    one, other = people.images[0], dict(people.images[2 * 6])
    assert one["gender"] == other["gender"] and one["ethnicity"] == other["ethnicity"] and people.alike(0, 12)
    for change in ({"gender": "other"}, {"ethnicity": "c"}, {"born": "1999-01-01"}, {"born": None}):
        changed = benchmark.People(images=[one, {**other, **change}], number=people.number, repeats=frozenset())
        assert not changed.alike(0, 1)


def test_a_shift_that_a_print_gives_to_all_faces_is_taken_away(world):
    people, coded = world
    fit = benchmark.Fit.on(people, coded)
    _, level, rows, columns = next(c for c in benchmark.conditions(people, coded) if c[0] == "page 2")
    with_it = benchmark.pairs_of(people, rows, columns, fit.scores(coded, level, rows, columns)).split()
    without = benchmark.Fit(centres={k: fit.centres[CLEAN] for k in fit.centres}, voices=fit.voices)
    raw = benchmark.pairs_of(people, rows, columns, without.scores(coded, level, rows, columns)).split()
    assert cal.equal_error_rate(with_it) < cal.equal_error_rate(raw)
    assert abs(with_it.impostor.mean()) < 0.3  # strangers lie around 0 on a page as on a photograph


def test_scores_are_those_that_a_worker_computes(world, monkeypatch):
    people, coded = world
    made = benchmark.calibrated(people, coded, rounds=2)
    monkeypatch.setattr(compare, "calibration", lambda: made)
    fit = benchmark.Fit(centres=made.centres, voices=made.voices)
    for level in (None, 2, 3):
        rows, columns = list(coded[level])[:3], list(coded[None])[:4]
        table = fit.scores(coded, level, rows, columns)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                a, b = (
                    compare.Encodings(sface=c["sface"], dlib=c["dlib"], chip=c["chip"], condition=c["condition"])
                    for c in (coded[level][row], coded[None][column])
                )
                assert compare.compare(a, b).similarity == pytest.approx(table[i, j], abs=1e-3)


def test_a_calibration_is_whole_and_survives_its_file(world):
    people, coded = world
    made = benchmark.calibrated(people, coded, rounds=5)
    again = cal.FaceCalibration.from_json(json.loads(benchmark._as_text(made)))
    assert again.to_json() == made.to_json() and made.label.endswith(cal.digest(made.to_json()))
    assert set(made.tables) == {CLEAN, PRINTED} and set(made.odds) == set(made.voices) == {CLEAN, PRINTED, POOR}
    assert made.card["people"] == PEOPLE and "Central Asia" in made.card["limits"] and made.card["alike"] is not None
    assert made.tables[PRINTED].card["impostor_pairs"] == PEOPLE * (2 * PEOPLE - 2)


def test_groups_have_their_n_and_an_interval_that_zero_errors_do_not_close(world):
    people, coded = world
    fit = benchmark.Fit.on(people, coded)
    made = benchmark.calibrated(people, coded, rounds=5)
    found = {(g.group, g.condition): g for g in benchmark.groups(people, coded, fit, made.tables, 30)}
    women = found["sex: female", CLEAN]
    assert (women.people, women.genuines, women.impostors) == (30, 30, 30 * 29)
    assert found["all", CLEAN].impostors == 60 * 59
    for group in found.values():
        assert group.fmr is not None and group.fnmr is not None
        for rate, n in ((group.fmr, group.impostors), (group.fnmr, group.genuines)):
            assert 0 <= rate[1] <= rate[0] <= rate[2] <= 1 and rate[2] >= 3 / n - 1e-12


def test_people_measured_are_never_those_fitted_on(world, monkeypatch):
    people, coded = world
    halves = []
    fitted = benchmark.calibrated

    def remember(*given: Any, who: frozenset[int] | None = None, **more: Any) -> cal.FaceCalibration:
        halves.append(who)
        return fitted(*given, who=who, **more)

    measured = []
    like = benchmark._like

    def watched(people: Any, coded: Any, fit: Any, level: Any, who: Any) -> cal.LabelledScores:
        measured.append(who)
        return like(people, coded, fit, level, who)

    monkeypatch.setattr(benchmark, "calibrated", remember)
    monkeypatch.setattr(benchmark, "_like", watched)
    report = benchmark.cross_validated(people, coded, repeats=2)
    assert len(halves) == 4 and all(len(h) == PEOPLE // 2 for h in halves)
    tested = {frozenset(w) for w in measured}
    assert tested == set(halves)  # each half is fitted on once and measured once
    assert halves[0] & halves[1] == frozenset() and halves[0] | halves[1] == frozenset(range(PEOPLE))
    clean = report["house - congress"]
    assert clean["folds"] == 4 and 0 <= clean["cllr"][0] < 0.5 and clean["tar at the line of 0.01"][0] > 0.9
    assert all(b["genuine"] + b["impostor"] > 0 for b in report["bands"]["clean"])


def test_kept_encodings_are_used_again_but_not_those_of_other_engines(tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    (data / "pairs.json").write_text(json.dumps({"images": [{"person": "a", "set": "s", "file": "x"}]}))
    file = tmp_path / "codes.npz"
    store = benchmark.Store(file, data)
    store.kept |= {"clean|0|found": np.array(True), "clean|0|chip": np.zeros((2, 2)), "clean|0|condition": np.array(CLEAN)}
    store.kept |= {f"clean|0|{v.name}": np.arange(3.0) for v in voices.speaking()}
    store.save()
    people = benchmark.read_people(data)
    again = benchmark.Store(file, data).coded(people, [0], None, None)  # there is no picture to encode
    assert again[0]["sface"].tolist() == [0.0, 1.0, 2.0]
    monkeypatch.setattr(voices, "CODING", voices.CODING + 1)
    assert benchmark.Store(file, data).kept == {}
    monkeypatch.undo()
    monkeypatch.setattr(compare, "networks", lambda: ("another network",))
    assert benchmark.Store(file, data).kept == {}


def test_the_lowest_rate_that_n_supports_is_three_in_n():
    scores = cal.Scores(genuine=np.array([5.0, 9.0]), impostor=np.linspace(-3, 6, 30_000))
    lowest = benchmark._lowest(scores)
    assert lowest["lowest fmr that n supports"] == 1e-4 and lowest["tar above every stranger"] == 0.5
    assert lowest["tar at 1e-05"] is None


def test_a_folder_without_a_listing_measures_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["faces", "--data", str(tmp_path)])
    assert benchmark.main() == 2 and "nothing measured" in capsys.readouterr().err
