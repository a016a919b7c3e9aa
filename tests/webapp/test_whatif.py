"""What-if pages: a draft over past runs, and every would-be wrong approval looked at before it is proposed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from cases import policies, replays
from cases.models import Event, Role, Staff
from cases.ops_tables import ReplayReport, ReplayWrong
from tests import factories as a
from tests.conftest import NOW
from tests.webapp.staff_fixtures import Browser, Office, make_office
from verification.decision import Outcome
from verification.policy import SHIPPED
from webapp.ops import replay_words

LENIENT = replace(SHIPPED, min_selfie_document=4.0)


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def olga(office: Office) -> Browser:
    return office.signed_in(Role.OPS, name="Olga Ops")


def plain(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True)))


def drafted(office: Office, document: Any = LENIENT) -> int:
    with office.db.transaction() as db:
        author = db.scalars(select(Staff).where(Staff.name == "Olga Ops")).one()
        return policies.draft(db, document, author=author, reason="Fewer referrals.", now=office.clock()).version


def past(office: Office, *makers: Any) -> list[Any]:
    """Cases of yesterday."""
    with office.db.transaction() as db:
        return [make(db, now=office.clock() - timedelta(days=1)).id for make in makers]


def replayed(browser: Browser, version: int, days: int = 30, **changes: Any) -> Any:
    page = browser.fresh(f"/ops/policies/{version}/what-if").get_data(as_text=True)
    once = re.search(r'name="once" value="(\w+)"', page)
    assert once
    return browser.post(f"/ops/policies/{version}/what-if", **{"days": days, "once": once[1], **changes})


def count(office: Office, what: Any, *where: Any) -> int:
    with office.db.reading() as db:
        return db.scalar(select(func.count()).select_from(what).where(*where)) or 0


def test_a_draft_that_was_not_replayed_says_so_and_how_long_it_takes(office, olga):
    number = drafted(office)
    page = plain(olga.get(f"/ops/policies/{number}/what-if"))
    assert "not replayed yet" in page and "A million runs take some four seconds" in page
    assert "Selfie and passport portrait: 6.7 standard deviations → 4 standard deviations looser" in page


def test_a_replay_tells_flows_shares_work_and_reasons(office, olga):
    past(office, a.an_approved, a.an_in_review)
    number = drafted(office)
    answer = replayed(olga, number)
    assert answer.status_code == 303 and answer.location.endswith(f"/ops/policies/{number}/what-if")
    shown = olga.get(answer.location)
    page = plain(shown)
    assert "to a person → approved by the machine 1 50.0 %" in page and "approved by the machine, as before 1" in page
    assert "approved by the machine 50.0 % 100.0 % +50.0" in page and "to a person 50.0 % 0.0 % −50.0" in page
    assert "less than 0.1 hours a week" in page and "90 s for each case are assumed" in page
    assert re.search(r"Reasons gained and lost .* – 1 ", page), "one run loses what it was referred for"
    assert "ready to be proposed" in page and "No case that a person answered would be newly approved" in page
    assert '<path class="band looser"' in shown.get_data(as_text=True)
    assert count(office, ReplayReport) == 1


def test_runs_older_than_was_asked_for_are_left_out(office, olga):
    with office.db.transaction() as db:
        a.an_approved(db, now=office.clock() - timedelta(days=20))
    number = drafted(office)
    replayed(olga, number, days=7)
    assert "No run in this time" in plain(olga.get(f"/ops/policies/{number}/what-if"))
    office.clock.forward(minutes=1)
    replayed(olga, number, days=90)
    page = plain(olga.get(f"/ops/policies/{number}/what-if"))
    assert "No run in this time" not in page and "No run would have been decided otherwise" in page


def test_a_form_that_was_sent_twice_replays_once(office, olga):
    past(office, a.an_approved)
    number = drafted(office)
    once = re.search(r'name="once" value="(\w+)"', olga.fresh(f"/ops/policies/{number}/what-if").get_data(as_text=True))
    assert once
    first = olga.post(f"/ops/policies/{number}/what-if", days=30, once=once[1])
    second = olga.post(f"/ops/policies/{number}/what-if", days=30, once=once[1])
    assert first.status_code == 303
    assert second.status_code == 409 and "nothing was started a second time" in plain(second)
    assert count(office, ReplayReport) == 1
    assert replayed(olga, number).status_code == 303 and count(office, ReplayReport) == 2


def test_what_is_wrong_with_the_form_is_said(office, olga):
    number = drafted(office)
    assert replayed(olga, number, days=31).status_code == 422
    assert replayed(olga, number, days="x").status_code == 422
    assert olga.post("/ops/policies/99/what-if", days=30, once="x").status_code == 404
    assert olga.post("/ops/policies/1/what-if", days=30, once="x").status_code == 409, "it holds: there is nothing to compare"
    assert olga.get("/ops/policies/99/what-if").status_code == 404
    assert "This version holds now" in plain(olga.get("/ops/policies/1/what-if"))
    assert count(office, ReplayReport) == 0


def test_each_would_be_wrong_approval_has_to_be_opened(office, olga):
    one, other = past(office, a.a_rejected, a.a_rejected)
    number = drafted(office)
    replayed(olga, number)
    page = plain(olga.get(f"/ops/policies/{number}/what-if"))
    assert "2 of 2: at most 100 %" in page and "2 cases not opened" in page and "0 of 2 are" in page
    with office.db.reading() as db:
        report = replays.attached(db, number)
    assert report is not None
    address = f"/ops/policies/{number}/what-if/{report.id}"
    first = plain(olga.get(f"{address}/{one}"))
    assert "1 more to open" in first
    assert "1 case not opened" in plain(olga.get(f"/ops/policies/{number}/what-if"))
    assert "all opened" in plain(olga.get(f"{address}/{other}"))
    assert "ready to be proposed" in plain(olga.get(f"/ops/policies/{number}/what-if"))
    with office.db.reading() as db:
        assert replays.require_seen(db, number, now=office.clock()).id == report.id
    assert count(office, Event, Event.kind == "would_be_approval_opened") == 2
    assert olga.get(f"{address}/{report.id}").status_code == 404
    assert olga.get(f"/ops/policies/1/what-if/{report.id}/{one}").status_code == 404


def test_a_second_shorter_replay_takes_no_case_off_the_list(office, olga):
    with office.db.transaction() as db:
        old = a.a_rejected(db, now=office.clock() - timedelta(days=20)).id
        a.an_approved(db, now=office.clock() - timedelta(days=1))
    number = drafted(office)
    replayed(olga, number)
    office.clock.forward(minutes=1)
    replayed(olga, number, days=7)
    shown = olga.get(f"/ops/policies/{number}/what-if")
    page = plain(shown)
    assert "1 case not opened" in page and "0 of 1 are. Those of earlier replays count too." in page
    with office.db.reading() as db:
        (one,) = replays.to_open(db, number)
    assert f'href="/ops/policies/{number}/what-if/{one.report_id}/{old}"' in shown.text
    assert "all opened" in plain(olga.get(f"/ops/policies/{number}/what-if/{one.report_id}/{old}"))
    assert "ready to be proposed" in plain(olga.get(f"/ops/policies/{number}/what-if"))


def test_the_page_says_why_a_replay_does_not_count(office, olga):
    past(office, a.an_approved)
    with office.db.transaction() as db:
        a.an_approved(db, now=office.clock() - timedelta(days=20))
    number = drafted(office)
    page = plain(olga.get(f"/ops/policies/{number}/what-if"))
    assert "For a proposal a replay counts for 7 days. It has to look back 28 days, or as far as there are runs." in page
    replayed(olga, number, days=7)
    short = "The last replay looked back less than 28 days, and there are older runs. Please look further back."
    for address in (f"/ops/policies/{number}/what-if", f"/ops/policies/{number}"):
        page = plain(olga.get(address))
        assert short in page and "replay again" in page
    refused = olga.post(f"/ops/policies/{number}/propose", reason="Too many referrals")
    assert refused.status_code == 409 and short in plain(refused)
    replayed(olga, number)
    assert short not in plain(olga.get(f"/ops/policies/{number}/what-if"))
    assert olga.post(f"/ops/policies/{number}/propose", reason="Too many referrals").status_code == 303
    office.clock.forward(days=8)
    olga = office.sign_in(olga_of(office))
    old = "The last replay is more than 7 days old. Please replay it again."
    assert old in plain(olga.get(f"/ops/policies/{number}"))
    second = office.signed_in(Role.LEAD)
    second.fresh("/ops/policies")
    late = second.post("/ops/policies/proposals/2/confirm")
    assert late.status_code == 409 and old in plain(late) and "Nothing was changed" in plain(late)


def olga_of(office: Office) -> str:
    with office.db.reading() as db:
        return db.scalars(select(Staff.email).where(Staff.name == "Olga Ops")).one()


def test_without_any_run_the_pages_say_that_nobody_could_look(office, olga):
    number = drafted(office)
    replayed(olga, number)
    page = plain(olga.get(f"/ops/policies/{number}/what-if"))
    assert (
        "ready to be proposed" in page and "There is no finished run yet, so nobody can tell what this version would do." in page
    )
    assert olga.post(f"/ops/policies/{number}/propose", reason="Too many referrals").status_code == 303
    told = plain(office.signed_in(Role.LEAD).get(f"/ops/policies/{number}"))
    assert "There was no finished run to replay: nobody could look at what it would do." in told, "who confirms is told"


def test_the_page_of_one_shows_both_lines_and_the_answer_but_nobody(office, olga):
    (case_id,) = past(office, a.a_rejected)
    number = drafted(office)
    replayed(olga, number)
    with office.db.reading() as db:
        report = replays.attached(db, number)
    shown = olga.get(f"/ops/policies/{number}/what-if/{report.id}/{case_id}").get_data(as_text=True)
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", shown))
    row = re.search(r"Selfie and passport portrait differs ([\d.]+) ✗ does not pass: 6\.7 ✓ passes: 4 ", page)
    assert row, page
    assert "Policy 1: to a person" in page and f"Policy {number}: approved by the machine" in page
    assert "rejected" in page and "Open the case at the desk" not in page, "operations see no case"
    for value in (*a.CLAIM.values.values(), *a.PROFILE.values.values()):
        assert len(value) < 4 or value not in page, value


def test_who_may_see_cases_gets_a_link_to_the_desk(office, olga):
    (case_id,) = past(office, a.a_rejected)
    number = drafted(office)
    replayed(olga, number)
    with office.db.reading() as db:
        report = replays.attached(db, number)
    lead = office.signed_in(Role.LEAD)
    shown = lead.get(f"/ops/policies/{number}/what-if/{report.id}/{case_id}").get_data(as_text=True)
    assert f'href="/desk/cases/{case_id}"' in shown


def test_an_auditors_look_does_not_count(office, olga):
    (case_id,) = past(office, a.a_rejected)
    number = drafted(office)
    replayed(olga, number)
    with office.db.reading() as db:
        report = replays.attached(db, number)
    auditor = office.signed_in(Role.AUDITOR)
    assert auditor.get(f"/ops/policies/{number}/what-if/{report.id}/{case_id}").status_code == 200
    assert count(office, ReplayWrong, ReplayWrong.opened_at.is_not(None)) == 0
    page = auditor.fresh(f"/ops/policies/{number}/what-if").get_data(as_text=True)
    assert 'name="once"' not in page
    assert auditor.post(f"/ops/policies/{number}/what-if", days=30, once="x").status_code == 403


def test_a_report_against_another_policy_is_not_shown(office, olga):
    past(office, a.an_approved)
    number = drafted(office)
    replayed(olga, number)
    tighter = drafted(office, replace(SHIPPED, min_selfie_document=9.5))
    with office.db.transaction() as db:
        author = db.scalars(select(Staff).where(Staff.name == "Olga Ops")).one()
        a.seen(db, tighter, by=author, now=office.clock())
        policies.propose(db, tighter, by=author, reason="Safer.", now=office.clock())
    assert "not replayed yet" in plain(olga.get(f"/ops/policies/{number}/what-if"))


def test_the_newest_version_is_found_from_the_bar(office, olga):
    number = drafted(office)
    assert olga.get("/ops/what-if").location.endswith(f"/ops/policies/{number}/what-if")


def a_replay(**changes: Any) -> replays.Replay:
    given: dict[str, Any] = {
        "version": 2, "against": 1, "since": NOW, "until": NOW, "runs": 1_000_000, "skipped": 0, "reasons": (), "groups": (),
        "flows": {
            "approve>approve": 700_000, "refer>approve": 1, "approve>refer": 40, "retake>retake": 99_959, "refer>refer": 200_000,
        },
        "answered": 312, "right": 312, "wrong": 0, "seconds_each": 90.0, "measured": False, "hours_per_week": -3.0,
    }  # fmt: skip
    return replays.Replay(**{**given, **changes})


def test_the_picture_keeps_proportions_and_shows_the_smallest_flow(office):
    with office.app.test_request_context():
        drawn = replay_words.picture(a_replay())
        assert drawn is not None and len(drawn.bands) == 5 and len(drawn.ends) == 6
        heights = {(end.x < 300, end.outcome): end.height for end in drawn.ends}
        assert heights[True, "approve"] / heights[True, "refer"] == pytest.approx(3.5, rel=0.05)
        assert min(heights.values()) >= replay_words.LEAST_BAND
        assert [band.kind for band in drawn.bands].count("looser") == 1
        assert all(end.y + end.height <= drawn.height for end in drawn.ends)
        assert replay_words.picture(a_replay(runs=0, flows={})) is None


@pytest.mark.parametrize(
    ("wrong", "n", "said"),
    [(0, 312, "0 of 312: at most 0.96 %"), (1, 100, "1 of 100: at most 4.66 %"), (0, 30_000, "0 of 30,000: at most 0.01 %")],
)  # fmt: skip
def test_a_bound_is_said_in_words_and_never_rounded_down(office, wrong, n, said):
    with office.app.test_request_context(headers={"Accept-Language": "en"}):
        assert replay_words.bound_said(wrong, n).replace("\N{NO-BREAK SPACE}", " ") == said


def test_groups_are_said_in_words_and_unknown_ones_come_last(office):
    groups = tuple(
        replays.Group(kind=kind, value=value, runs=runs, was=0.5, now=0.6, apart=0.1, warned=warned)
        for kind, value, runs, warned in (
            ("sex", "F", 500, True), ("sex", "M", 400, False), ("sex", "", 900, False),
            ("age_band", "3", 120, False), ("age_band", "9", 20, False),
        )
    )  # fmt: skip
    with office.app.test_request_context(headers={"Accept-Language": "en"}):
        sex, age = replay_words.group_tables(a_replay(groups=groups), 100)
    assert [line.name for line in sex.lines] == ["women", "men", "not known"] and sex.warned and not age.warned
    assert [(line.name, line.few) for line in age.lines] == [("age 30 to 39", False), ("age 90 and over", True)]
    assert sex.lines[0].apart == "+10.0"


def test_every_flow_has_a_name(office):
    flows = {f"{was.value}>{now.value}": 1 for was in Outcome for now in Outcome}
    with office.app.test_request_context():
        assert len({flow.name for flow in replay_words.flows(a_replay(flows=flows, runs=9))}) == 9


def test_the_pages_keep_the_content_policy(office, olga):
    (case_id,) = past(office, a.a_rejected)
    number = drafted(office)
    replayed(olga, number)
    with office.db.reading() as db:
        report = replays.attached(db, number)
    for address in (f"/ops/policies/{number}/what-if", f"/ops/policies/{number}/what-if/{report.id}/{case_id}"):
        shown = olga.get(address).get_data(as_text=True)
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*src=)", shown), address
