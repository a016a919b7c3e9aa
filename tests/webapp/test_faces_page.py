"""The page of the faces: a calibration is proposed by one person and confirmed by another, who sees first what it would do."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from cases import calibration
from cases.models import Calibration, Role
from cases.ops_tables import CalibrationActivation
from tests import factories as a
from tests.webapp.staff_fixtures import Browser, Office, make_office
from verification.calibration import OwnPair, shipped
from verification.evidence import Pair
from verification.policy import SHIPPED


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def olga(office: Office) -> Browser:
    return office.signed_in(Role.OPS, name="Olga Ops")


@pytest.fixture
def sam(office: Office) -> Browser:
    return office.signed_in(Role.LEAD, name="Sam Second")


@pytest.fixture
def labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What agents labelled: selfie and passport 280 to 50, selfie and face on file 60 to 10."""
    dice = random.Random(0)

    def pair(n: int, kind: Pair, same: bool) -> OwnPair:
        score = dice.gauss(11 if same else 0, 1.5)
        return OwnPair(pair=kind, similarity=score, same=same, person=f"{kind} {n}", sex="FM"[n % 2], age=2 + n % 5)

    pairs = [pair(n, Pair.SELFIE_DOCUMENT, n < 280) for n in range(330)]
    pairs += [pair(n, Pair.SELFIE_ON_FILE, n < 60) for n in range(70)]
    monkeypatch.setattr(calibration, "labelled_pairs", lambda _session: iter(pairs))


def plain(answer: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True))))


def offers(answer: Any, what: str) -> bool:
    return what in answer.get_data(as_text=True)


def held(office: Office) -> str:
    with office.db.reading() as db:
        return calibration.standing_calibration(db).label


def proposal(office: Office) -> int:
    with office.db.reading() as db:
        return db.scalars(select(CalibrationActivation.id).order_by(CalibrationActivation.id.desc())).first() or 0


def proposed(browser: Browser, **form: Any) -> Any:
    browser.fresh("/ops/faces")
    return browser.post("/ops/faces/propose", **{"what": "own", "reason": "Enough pairs now.", **form})


def no_face_on_file(office: Office) -> None:
    """The policy asks for no face on file, and one run had none."""
    with office.db.transaction() as db:
        now = office.clock()
        lead, ops = (a.a_member(db, role, now=now) for role in (Role.LEAD, Role.OPS))
        a.ramped(db, replace(SHIPPED, require_face_on_file=False), by=lead, second=ops, now=now)
        order = a.begun(db, a.a_submitted(db, now=now), now=now)
        pair = replace(a.faces()[Pair.SELFIE_DOCUMENT], fmr=shipped().fmr(Pair.SELFIE_DOCUMENT, 9.0))
        found = a.good_evidence(
            order.claim, order.profile, pairs={Pair.SELFIE_DOCUMENT: pair}, has_face_on_file=False,
            engines=(*shipped().engines, shipped().label),
        )  # fmt: skip
        a.finished(db, order, now=now, evidence=found)


def test_without_enough_pairs_nothing_is_offered_and_asking_is_refused(office, olga):
    page = olga.get("/ops/faces")
    assert "Own: 0 of 300 labelled pairs." in plain(page) and not offers(page, "/ops/faces/propose")
    refused = proposed(olga)
    assert refused.status_code == 409 and "There are too few labelled pairs yet." in plain(refused)
    assert proposed(olga, what="shipped").status_code == 409 and proposal(office) == 0
    assert proposed(olga, what="mine").status_code == 400


@pytest.mark.usefixtures("labelled")
def test_one_person_proposes_and_another_confirms(office, olga, sam):
    assert offers(olga.get("/ops/faces"), "/ops/faces/propose")
    wordless = proposed(olga, reason="x")
    assert wordless.status_code == 422 and "Please say why" in plain(wordless)
    assert proposed(olga).status_code == 303
    assert held(office) == shipped().label
    hers, his = olga.get("/ops/faces"), sam.get("/ops/faces")
    number = proposal(office)
    assert "You proposed this. Another person has to confirm it." in plain(hers)
    assert not offers(hers, f"/ops/faces/{number}/confirm") and offers(his, f"/ops/faces/{number}/confirm")
    assert not offers(his, "/ops/faces/propose")
    told = plain(his)
    assert "Calibration 1, fitted on 400 labelled pairs, is to hold." in told and "Olga Ops" in told
    assert "Selfie and passport portrait 280 50" in told and "its own strangers" in told
    assert "Selfie and face on file 60 10" in told and "all kinds together: fewer than 30 strangers of its own" in told
    assert "At every score it rates strangers at least as high as what holds now." in told
    assert "From then on the passport alone may decide." not in told  # the shipped policy asks for a face on file
    assert olga.post(f"/ops/faces/{number}/confirm").status_code == 403 and held(office) == shipped().label
    sam.fresh("/ops/faces")
    assert sam.post(f"/ops/faces/{number}/confirm").status_code == 303
    assert held(office) == "own face calibration 1"
    after = plain(sam.get("/ops/faces"))
    assert "Faces: your own calibration holds" in after and "Olga Ops proposed it, Sam Second confirmed it" in after
    assert "Waits for a second person" not in after and "Age: 0 days." in after
    assert sam.post(f"/ops/faces/{number}/confirm").status_code == 409


@pytest.mark.usefixtures("labelled")
def test_a_second_proposal_is_refused_while_one_waits_and_a_withdrawn_one_is_over(office, olga, sam):
    assert proposed(olga).status_code == 303
    waits = proposed(sam)
    assert waits.status_code == 409 and "A proposal waits for a second person already." in plain(waits)
    number = proposal(office)
    assert sam.post(f"/ops/faces/{number}/withdraw").status_code == 303
    assert sam.post(f"/ops/faces/{number}/confirm").status_code == 409 and held(office) == shipped().label
    assert olga.post("/ops/faces/99/confirm").status_code == 404


@pytest.mark.usefixtures("labelled")
def test_going_back_takes_two_as_well_and_says_where_it_is_kinder(office, olga, sam):
    with office.db.transaction() as db:
        a.calibrated(db, now=office.clock())
    assert offers(olga.get("/ops/faces"), 'value="shipped"')
    assert proposed(olga, what="shipped").status_code == 303 and held(office) == "own face calibration 1"
    told = plain(sam.get("/ops/faces"))
    assert "The shipped calibration is to hold again." in told
    assert "At some scores it rates strangers lower than what holds now: more may pass." in told
    sam.fresh("/ops/faces")
    assert sam.post(f"/ops/faces/{proposal(office)}/confirm").status_code == 303 and held(office) == shipped().label
    assert "The own calibration was set aside." in plain(sam.get("/ops/faces"))


@pytest.mark.usefixtures("labelled")
def test_that_the_passport_alone_may_decide_from_then_on_is_said_before_it_is_confirmed(office, olga, sam):
    no_face_on_file(office)
    proposed(olga)
    told = plain(sam.get("/ops/faces"))
    assert "From then on the passport alone may decide." in told and "Of the runs below it was so with 1." in told
    assert "to a person → approved by the machine: 1" in told


@pytest.mark.usefixtures("labelled")
def test_one_that_was_fitted_on_an_earlier_shipped_calibration_can_only_be_withdrawn(office, olga, sam, monkeypatch):
    proposed(olga)
    monkeypatch.setattr(calibration, "shipped", lambda: replace(shipped(), label="faces 2030-01-01 ffffff"))
    page = sam.get("/ops/faces")
    assert "can no longer hold: withdraw it and fit anew" in plain(page)
    assert not offers(page, f"/ops/faces/{proposal(office)}/confirm") and offers(page, f"/ops/faces/{proposal(office)}/withdraw")
    sam.fresh("/ops/faces")
    assert sam.post(f"/ops/faces/{proposal(office)}/confirm").status_code == 409


@pytest.mark.usefixtures("labelled")
def test_errors_among_groups_of_ones_own_customers_stand_beside_the_shipped_ones(office, olga):
    told = plain(olga.get("/ops/faces"))
    found = {g.group: g for g in shipped().groups if g.condition == "printed"}
    assert "Errors among groups of your own customers" in told and "women Selfie and passport portrait" in told
    women = re.search(r"women Selfie and passport portrait (.*?) Selfie and face on file (.*?) men ", told)
    assert women is not None and women[1].startswith("0 of 140: 0% (0% – 2.67%) not enough (25)")
    assert "0% (0% – 3.16%)" in women[1] and found["sex: female"].fnmr[2] == pytest.approx(0.0316, abs=1e-4)
    assert "age 30 to 49" in told and "age 70 and over" not in told  # nobody of that age is labelled


def test_who_may_only_look_is_offered_nothing(office, monkeypatch, labelled):
    auditor = office.signed_in(Role.AUDITOR)
    page = auditor.get("/ops/faces")
    assert page.status_code == 200 and not offers(page, "/ops/faces/propose")
    assert proposed(auditor).status_code == 403
    with office.db.reading() as db:
        assert db.scalars(select(Calibration)).all() == []
