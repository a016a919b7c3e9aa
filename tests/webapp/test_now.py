"""The page "Now": the switch and its narrower ones, and figures beside the usual, in words."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases import runs, switches
from cases.models import Heartbeat, Role, Run
from cases.nowfigures import Count, Difference, Share, Times, Way
from tests import factories as a
from tests.webapp.staff_fixtures import PASSWORD, Browser, Office, make_office
from tests.webapp.waiting import shot
from verification.evidence import Step
from webapp.ops import now_words

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WEEK = timedelta(days=7)


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def olga(office: Office) -> Browser:
    return office.signed_in(Role.OPS, name="Olga Ops")


@pytest.fixture
def second(office: Office) -> Browser:
    return office.signed_in(Role.OPS, name="Sam Second")


def plain(answer: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True))))


def closed(office: Office) -> frozenset[str]:
    with office.db.reading() as db:
        return switches.closed(db)


def test_one_kind_of_document_goes_to_people_and_the_rest_is_decided(office, olga):
    olga.fresh("/ops")
    assert olga.post("/ops/everything-to-people", scope="document:TD1", reason="Odd cards since noon").status_code == 303
    assert closed(office) == {"document:TD1"}
    page = plain(olga.get("/ops"))
    assert "Automatic decisions are on, in part" in page and "Document: Identity card (TD1) to people" in page
    assert "by Olga Ops: Odd cards since noon" in page and "Everything goes to people" not in page
    assert ">Everything goes to people</span>" not in office.signed_in(Role.AGENT).get("/desk").get_data(as_text=True)


@pytest.mark.parametrize(("typed", "scope"), [("kaz", "country:KAZ"), (" D ", "country:D")])
def test_a_country_is_typed_as_its_code(office, olga, typed, scope):
    olga.fresh("/ops")
    assert olga.post("/ops/everything-to-people", scope="country", country=typed, reason="Odd papers").status_code == 303
    assert closed(office) == {scope}


def test_what_is_no_part_is_told_and_stops_nothing(office, olga):
    olga.fresh("/ops")
    for fields, told in (
        ({"scope": "country", "country": "?"}, "Please give the country’s code"),
        ({"scope": "check:everything"}, "Please choose what goes to people"),
        ({"scope": "check:zone", "reason": " "}, "Please say why"),
    ):
        answer = olga.post("/ops/everything-to-people", **{"reason": "Odd papers", **fields})
        page = answer.get_data(as_text=True)
        assert answer.status_code == 422 and told in plain(answer) and '<details class="part" open>' in page
        assert page.count('role="alert"') == 1
    assert closed(office) == frozenset()


def test_a_part_is_opened_again_by_two(office, olga, second):
    olga.fresh("/ops")
    olga.post("/ops/everything-to-people", scope="check:print", reason="A wave of glare")
    olga.post("/ops/everything-to-people", scope="country", country="KAZ", reason="Odd papers")
    assert olga.post("/ops/automation", scope="check:print", reason="Lamps are off").status_code == 303
    assert "Another person has to confirm it" in plain(olga.get("/ops"))
    assert olga.post("/ops/automation/3/confirm").status_code == 403 and "check:print" in closed(office)
    shown = second.get("/ops").get_data(as_text=True)
    assert "/ops/automation/3/confirm" in shown and second.post("/ops/automation/3/confirm").status_code == 303
    assert closed(office) == {"country:KAZ"}


def test_who_only_reads_figures_has_no_switch(office, olga):
    olga.fresh("/ops")
    olga.post("/ops/everything-to-people", scope="check:zone", reason="Odd zones")
    auditor = office.signed_in(Role.AUDITOR)
    if auditor.get("/ops").status_code == 200:
        page = auditor.get("/ops").get_data(as_text=True)
        assert "Odd zones" in page and "/ops/everything-to-people" not in page and 'action="/ops/automation"' not in page
    assert auditor.post("/ops/everything-to-people", scope="check:print", reason="Because").status_code == 403


def test_the_day_stands_beside_the_usual_with_its_numbers(office, olga):
    now = office.clock()
    with office.db.transaction() as db:
        for week in (1, 2):
            for _ in range(2):
                a.an_approved(db, now=now - week * WEEK - timedelta(hours=2))
        for _ in range(9):
            a.an_approved(db, now=now - timedelta(hours=2))
        db.add(Heartbeat(name="verify:one:1", at=now))
        db.add(Heartbeat(name="upkeep:one:2", at=now - timedelta(minutes=3)))
    page = plain(olga.get("/ops"))
    assert "the mean of the same 24 hours of 2 earlier weeks" in page
    assert "9 requests sent 4.5 times as many as usual (usual: 2)" in page
    assert "100% decided without a person 9 of 9 as usual (usual: 100%)" in page
    assert "until the machine’s answer: median / nine in ten n = 9 too few to compare" in page
    assert re.search(r"upkeep 0 3 min ago none is alive", page) and re.search(r"verify 1 0 s ago", page)


def test_an_empty_system_says_so(olga):
    page = plain(olga.get("/ops"))
    assert "There is no earlier week yet to compare with." in page and "No run in the last 24 hours." in page


def test_differences_are_words(olga):
    with olga.client.application.test_request_context(headers={"Accept-Language": "en"}):
        said = now_words.difference_said
        assert said(Difference(way=Way.MORE, amount=0.25)) == "25% more than usual"
        assert said(Difference(way=Way.LESS, amount=0.25)) == "25% fewer than usual"
        assert said(Difference(way=Way.MORE, amount=0.25), longer=True) == "25% longer than usual"
        assert said(Difference(way=Way.LESS, amount=0.25), longer=True) == "25% shorter than usual"
        assert said(Difference(way=Way.MORE, amount=1.5), longer=True) == "2.5 times as long as usual"
        assert said(Difference(way=Way.LESS, amount=1.2), points=True) == "1 point less than usual"
        assert said(Difference(way=Way.MORE, amount=7.7), points=True) == "8 points more than usual"
        assert said(Difference(way=Way.MORE)) == "usually none"
        fewer = Count(n=10, usual=100.0, days=4)
        assert now_words.counted("x", fewer, more_is="bad", less_is="warn").mood == "warn"
        assert now_words.shared("x", Share(part=0, n=500, usual_part=900, usual_n=1000), less_is="bad").mood == "bad"
        slow = Times(n=50, median=9.0, p90=40.0, usual_n=90, usual_median=9.0, usual_p90=20.0, sampled=True)
        assert (now_words.timed("x", slow).mood, now_words.timed("x", slow).n) == ("warn", "n = 50, the newest")


def test_the_steps_of_a_run_stand_beside_the_usual_in_words(office, olga):
    now = office.clock()
    with office.db.transaction() as db:
        for at, took in ((now - timedelta(hours=1), 6.0), (now - WEEK - timedelta(hours=1), 3.0)):
            for _ in range(20):
                order = a.begun(db, a.a_submitted(db, now=at), now=at)
                found = a.good_evidence(order.claim, order.profile)
                steps = {Step.PASSPORT: took, Step.FACES: 0.5}
                runs.finish(db, order, found, a.a_decision(found), seconds=took + 0.5, steps=steps, now=at)
    page = plain(olga.get("/ops"))
    assert "reading the passport 6.00 s 6.00 s 20 2 times as long as usual 3.00 s / 3.00 s of n = 20" in page
    assert "comparing the faces 0.50 s 0.50 s 20 as usual 0.50 s / 0.50 s of n = 20" in page


def test_a_step_that_is_slow_for_one_in_ten_is_told(olga):
    with olga.client.application.test_request_context(headers={"Accept-Language": "en"}):
        late = Times(n=50, median=1.0, p90=9.0, usual_n=90, usual_median=1.0, usual_p90=3.0)
        few = Times(n=19, median=9.0, p90=9.0, usual_n=90, usual_median=1.0, usual_p90=3.0)
        new = Times(n=50, median=9.0, p90=9.0, usual_n=0, usual_median=None, usual_p90=None)
        told = [
            (one.compared, one.slower, one.usual) for one in now_words.steps_said({"faces": late, "photos": few, "details": new})
        ]
    assert told == [
        ("nine in ten: 3 times as long as usual", True, "1.00 s / 3.00 s of n = 90"),
        ("too few to compare", False, "1.00 s / 3.00 s of n = 90"),
        ("nothing to compare with", False, ""),
    ]


@pytest.fixture
def address(office: Office) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, office.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "ru")])
def test_the_page_for_people_who_look(office, address, chromium, scheme, language):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    now = office.clock()
    email = office.member(Role.OPS, name="Olga Ops")
    with office.db.transaction() as db:
        ops, lead = a.a_member(db, Role.OPS, name="Sam Second", now=now), a.a_member(db, Role.LEAD, name="Lea Lead", now=now)
        for week, many in ((0, 20), (1, 5), (2, 4), (3, 6), (4, 5)):
            for number in range(many):
                a.an_approved(db, now=now - week * WEEK - timedelta(hours=2))
                took = 1.2 + number / 10 + (0 if week else 2)
                for run in db.scalars(select(Run).where(Run.step_seconds.is_(None), Run.outcome.is_not(None))):
                    run.step_seconds = {"photos": 0.21, "passport": took, "faces": 0.87, "details": 0.02}
        for _ in range(3):
            a.a_needs_retake(db, now=now - timedelta(hours=3))
            a.an_in_review(db, now=now - timedelta(hours=1))
        a.a_rejected(db, now=now - timedelta(hours=4), agent=a.a_member(db, Role.AGENT, name="Ada", now=now))
        a.begun(db, a.a_submitted(db, now=now), now=now)
        for name, ago in (("verify:one:1", 3), ("verify:one:2", 90), ("notify:one:3", 300), ("upkeep:one:4", 5)):
            db.add(Heartbeat(name=name, at=now - timedelta(seconds=ago)))
        switches.to_people(db, by=ops, reason="Odd identity cards since noon", scope="document:TD1", now=now)
        switches.to_people(db, by=None, reason="More approvals in an hour than ever before", scope="country:KAZ", now=now)
        switches.propose_automation(db, by=lead, reason="Looked at all 40 of them", scope="country:KAZ", now=now)
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    try:
        page.goto(f"{address}/staff/sign-in")
        if page.locator(f".languages button[value={language}]").count():
            page.locator(f".languages button[value={language}]").click()
        page.fill("#email", email)
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.locator("#code").fill(office.code(email))
        page.keyboard.press("Enter")
        page.locator("nav.bar").wait_for()
        page.goto(f"{address}/ops")
        page.locator("details.part summary").click()
        for width, height in ((1440, 900), (1024, 768), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            shot(page, SHOTS / f"ops-now-{width}-{scheme}.png", full_page=True)
        found = axe.run(page, options={"runOnly": RULES}).response["violations"]
        assert not found, [(v["id"], [n["target"] for n in v["nodes"]]) for v in found]
    finally:
        context.close()
