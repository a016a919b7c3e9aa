"""The retention page: what is due, what was shredded, what is held back; and the audit page's search and export."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cases import audit_export, retention, shredding
from cases.models import Case, Event, Heartbeat, Role
from tests import factories as a
from tests.webapp.staff_fixtures import Browser, Office, make_office
from webapp.ops import search, trail

DAY = timedelta(days=1)


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def auditor(office: Office) -> Browser:
    return office.signed_in(Role.AUDITOR, name="Ada Auditor")


def plain(answer: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True))))


def overview(office: Office, now: Any) -> shredding.Overview:
    with office.db.reading() as db:
        return shredding.overview(db, now=now)


def test_due_and_shredded_are_counted_by_day(office, settings, now):
    with office.db.transaction() as db:
        first, second = a.an_approved(db, now=now), a.a_rejected(db, now=now + 3 * DAY)
        a.a_draft(db, now=now)
    kept = settings.photo_days * DAY
    before = overview(office, now + kept - DAY)
    assert (before.due, before.oldest, before.waiting, before.open) == (0, None, 2, 1)
    assert dict(before.ahead)[(now + kept).date()] == 1 and dict(before.ahead)[(now + kept + 3 * DAY).date()] == 1
    later = now + kept + timedelta(hours=2)
    over = overview(office, later)
    assert (over.due, over.oldest, over.waiting) == (1, now + kept, 1)
    with office.db.transaction() as db:
        assert retention.shred_due(db, now=later) == [first.id]
    after = overview(office, later)
    assert after.due == 0 and dict(after.shredded)[later.date()] == 1 and sum(n for _day, n in after.shredded) == 1
    assert len(after.shredded) == shredding.BACK and overview(office, later + 40 * DAY).shredded[0][1] == 0
    with office.db.transaction() as db:
        assert retention.erase(db, second.customer_id, now=later + 40 * DAY) == [second.id]
    erased = overview(office, later + 40 * DAY)
    assert (erased.erased, erased.erased_ever) == (1, 1) and erased.unremoved > 0  # keys first, pictures with the next round


def test_a_dispute_is_told_as_a_hold_and_not_as_due(office, auditor, settings, now):
    with office.db.transaction() as db:
        case = a.an_approved(db, now=now)
        db.get_one(Case, case.id).disputed_at = now
    late = now + (settings.photo_days + 1) * DAY
    held = overview(office, late)
    assert held.due == 0 and (held.holds.disputes, held.holds.disputes_over) == (1, 1)
    office.clock.at = late
    page = plain(office.signed_in(Role.OPS).get("/ops/retention"))
    assert "An open dispute 1 a person has settled it; 1 are past their time" in page and "does not shred" not in page


def test_upkeep_that_does_not_shred_is_told(office, auditor, settings, now):
    with office.db.transaction() as db:
        a.an_approved(db, now=now)
        db.add(Heartbeat(name="task:shred", at=now))
    office.clock.at = now + settings.photo_days * DAY + timedelta(minutes=30)
    browser = office.signed_in(Role.AUDITOR)
    assert "does not shred" not in plain(browser.get("/ops/retention"))
    office.clock.forward(minutes=10)
    office.clock.at += timedelta(hours=1)
    page = plain(office.signed_in(Role.AUDITOR).get("/ops/retention"))
    assert "upkeep does not shred" in page and "last on 2026-11-22 12:00:00" in page
    assert f"PHOTO_DAYS {settings.photo_days} days" in page


def test_orphans_are_counted_when_asked(office, auditor, now):
    with office.db.transaction() as db:
        a.an_approved(db, now=now)
    assert "Compare the store" in plain(auditor.get("/ops/retention"))
    assert "In the store without a row: 0. Rows whose picture is missing: 0." in plain(
        auditor.get("/ops/retention?orphans=count")
    )


def test_the_page_changes_nothing(office, auditor):
    rules = [rule for rule in office.app.url_map.iter_rules() if "retention" in rule.endpoint]
    assert rules and all(not rule.methods & {"POST", "PUT", "DELETE", "PATCH"} for rule in rules)
    assert "<form" not in auditor.get("/ops/retention").get_data(as_text=True).split("<main", 1)[1]


# the trail


def ids(browser: Browser, address: str) -> list[int]:
    page = browser.get(address).get_data(as_text=True)
    return [int(number) for number in re.findall(r'<tr><td class="num">(\d+)</td>', page)]


def test_the_trail_is_searched_by_account_kind_person_and_time(office, auditor, now):
    with office.db.transaction() as db:
        case = a.a_rejected(db, now=now)
        other = a.an_approved(db, now=now + 2 * DAY)
        agent = db.scalars(select(Event.actor_id).where(Event.kind == "disposed")).one()
    with office.db.reading() as db:
        wanted = {event.id: event for event in db.scalars(select(Event))}
        db.expunge_all()
    hers = [n for n, event in wanted.items() if event.customer_id == case.customer_id]
    assert sorted(ids(auditor, f"/ops/audit?customer={case.customer_id}")) == hers and hers
    assert set(hers).isdisjoint(ids(auditor, f"/ops/audit?customer={other.customer_id}"))
    by = [n for n, event in wanted.items() if event.actor_id == agent]
    assert sorted(ids(auditor, f"/ops/audit?actor={agent}")) == by and by
    day = (now + 2 * DAY).date()
    assert sorted(ids(auditor, f"/ops/audit?since={day}&kind=profile_changed")) == [
        n for n, event in wanted.items() if event.at >= now + DAY and event.kind == "profile_changed"
    ]
    assert ids(auditor, "/ops/audit?customer=host-1") == []
    assert "not the number of an account" in plain(auditor.get("/ops/audit?customer=host-1"))


def test_pages_of_the_trail_show_every_event_once_whatever_the_clock_did(office, auditor, now, monkeypatch):
    monkeypatch.setattr(search, "PAGE", 7)
    with office.db.transaction() as db:
        a.an_approved(db, now=now)
        a.an_approved(db, now=now - 5 * DAY)  # a clock that was wrong, or rows of an earlier time
        last = db.scalars(select(Event.id).order_by(Event.id.desc())).first()
    seen: list[int] = []
    address = "/ops/audit"
    for _page in range(100):
        page = auditor.get(address).get_data(as_text=True)
        seen += [int(number) for number in re.findall(r'<tr><td class="num">(\d+)</td>', page)]
        older = re.search(r'href="([^"]*before=\d+[^"]*)"', page)
        if older is None:
            break
        address = html.unescape(older[1])
    assert len(seen) == len(set(seen)) and set(range(1, last + 1)) <= set(seen)


def test_an_export_is_given_checked_and_recorded(office, auditor, tmp_path, now):
    with office.db.transaction() as db:
        a.a_rejected(db, now=now - DAY)
    auditor.fresh("/ops/audit")
    day = str((now - DAY).date())
    answer = auditor.post("/ops/audit/export", since=day, until=day)
    assert answer.status_code == 200 and answer.mimetype == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as pack:
        pack.extractall(tmp_path)
    key = audit_export.read_key(auditor.get("/ops/audit/key.pem").data)
    file = tmp_path / f"audit-{day}-{day}.csv"
    told = audit_export.check(file, key)
    with office.db.reading() as db:
        event = db.scalars(select(Event).where(Event.kind == "audit_exported")).one()
        assert event.details["sha256"] == told["sha256"] and event.details["count"] == int(told["rows"]) > 5
    assert not any(word in file.read_text() for word in a.PERSONAL if len(word) > 3)
    runner = office.app.test_cli_runner()
    good = runner.invoke(args=["audit", "check-export", str(file)])
    assert good.exit_code == 0 and "genuine" in good.output
    file.write_text(file.read_text().replace("disposed", "disposes"))
    bad = runner.invoke(args=["audit", "check-export", str(file)])
    assert bad.exit_code == 1 and "rows were changed" in bad.output


def test_the_command_writes_the_same_files_and_overwrites_none(office, tmp_path, now):
    with office.db.transaction() as db:
        a.an_approved(db, now=now)
    runner = office.app.test_cli_runner()
    days = ["--since", str(now.date()), "--until", str(now.date()), "--to", str(tmp_path)]
    made = runner.invoke(args=["audit", "export", *days])
    assert made.exit_code == 0, made.output
    (tmp_path / "key.pem").write_text(runner.invoke(args=["audit", "public-key"]).output.split("fingerprint")[0])
    file = tmp_path / f"audit-{now.date()}-{now.date()}.csv"
    checked = runner.invoke(args=["audit", "check-export", str(file), "--key", str(tmp_path / "key.pem")])
    assert checked.exit_code == 0, checked.output
    again = runner.invoke(args=["audit", "export", *days])
    assert again.exit_code == 1 and "there already" in again.output
    turned = runner.invoke(args=["audit", "export", "--since", "2026-02-02", "--until", "2026-01-01", "--to", str(tmp_path)])
    assert turned.exit_code == 1 and len(list(tmp_path.glob("audit-*"))) == 3


@pytest.mark.parametrize(
    ("since", "until", "why"), [("", "", "first and the last day"), ("2026-11-03", "2026-11-02", "before the first")]
)
def test_a_senseless_export_is_refused_in_words(auditor, since, until, why):
    auditor.fresh("/ops/audit")
    answer = auditor.post("/ops/audit/export", since=since, until=until)
    assert answer.status_code == 422 and why in plain(answer)


def test_too_many_events_are_left_to_the_command(office, auditor, monkeypatch, now):
    monkeypatch.setattr(trail, "MOST", 1)
    auditor.fresh("/ops/audit")
    office.clock.forward(seconds=1)  # what happens in the second of the export is not in it
    answer = auditor.post("/ops/audit/export", since=str(now.date()), until=str(now.date()))
    assert answer.status_code == 422 and "flask audit export" in plain(answer)
    with office.db.reading() as db:
        assert not db.scalars(select(Event).where(Event.kind == "audit_exported")).all()


def test_who_may_search_but_not_export_sees_no_button(office):
    senior = office.signed_in(Role.OPS)
    senior.fresh("/ops/queues")
    assert senior.post("/ops/audit/export", since="2026-11-22", until="2026-11-22").status_code == 403


def test_anchors_are_told(office, auditor, settings, now):
    from cases import audit

    assert "No file of anchors" in plain(auditor.get("/ops/audit"))
    with office.db.transaction() as db:
        audit.anchor(db, settings.data_dir / "anchors", now=now)
        audit.anchor(db, settings.data_dir / "anchors", now=now + timedelta(hours=1))
    assert "Anchors outside the database: 2, the latest of 2026-11-22 13:00 at event" in plain(auditor.get("/ops/audit"))
