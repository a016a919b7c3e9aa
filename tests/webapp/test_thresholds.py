"""The editor of thresholds without a browser: what it shows, what showing keeps, who changed what; the page of the faces."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from cases import calibration, distributions, policies
from cases.models import Role
from tests.cases import past_runs
from tests.factories import seen
from tests.webapp.staff_fixtures import Browser, Office, make_office
from tests.webapp.test_ops import plain, typed
from verification.evidence import Pair
from verification.policy import THRESHOLDS
from webapp.ops import charts, forms
from webapp.ops import past_runs as kept_runs

FACE = "min_selfie_document"


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def olga(office: Office) -> Browser:
    return office.signed_in(Role.OPS, name="Olga Ops")


def card(page: str, setting: str = FACE) -> str:
    return page[page.index(f'id="card-{setting}"') :].split("</article>", 1)[0]


def cell(page: str, kind: str, key: str, setting: str = FACE) -> str:
    found = re.search(rf'data-{kind}="{key}">([^<]*)<', card(page, setting))
    assert found is not None
    return html.unescape(found[1])


def versions(office: Office) -> int:
    with office.db.reading() as db:
        return len(policies.versions(db))


def test_every_setting_says_unit_range_shipped_value_and_last_change(office, olga):
    page = olga.get("/ops/policies/draft").text
    for name, about in THRESHOLDS.items():
        said = plain_text(card(page, name))
        assert "Shipped" in said and "Changed never" in said
        if forms.kind_of(about) == "number":
            assert "Unit" in said and " to " in said
    assert page.count("data-chart=") == 12 or page.count("data-chart=") == 13


def plain_text(part: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", part)))


def test_showing_moves_the_line_and_the_figures_and_keeps_nothing(office, olga):
    past_runs.write(office.settings.database_url, now=office.clock(), count=300)
    before = olga.fresh("/ops/policies/draft").text
    answer = olga.post("/ops/policies/draft", show="1", **typed(min_selfie_document="8"))
    after = answer.text
    assert answer.status_code == 200 and versions(office) == 1
    assert (cell(before, "rate", "fnmr"), cell(after, "rate", "fnmr")) == (
        "4 of 341: 1.17% (0.32% – 2.98%)", "19 of 341: 5.57% (3.39% – 8.56%)",
    )  # fmt: skip
    assert int(cell(before, "stopped", "auto_approved")) == 0 < int(cell(after, "stopped", "auto_approved"))
    assert cell(after, "rate", "fnmr", "min_selfie_on_file") == cell(before, "rate", "fnmr", "min_selfie_on_file")
    line = re.compile(rf'data-line="{FACE}"[^>]*translate\(([\d.]+) 0\)')
    assert float(line.search(after)[1]) > float(line.search(before)[1])
    assert 'value="8"' in card(after) and "Selfie and passport portrait" in plain_text(after.split("data-changes", 1)[1])


def test_what_the_script_looks_up_is_what_the_server_says(office, olga):
    past_runs.write(office.settings.database_url, now=office.clock(), count=300)
    olga.fresh("/ops/policies/draft")
    page = olga.post("/ops/policies/draft", show="1", **typed(min_selfie_document="8", max_attempts="2")).text
    for setting, value in ((FACE, 8.0), ("max_attempts", 2), ("min_confidence", 0.8)):
        data = json.loads(html.unescape(re.search(r'data-chart="([^"]*)"', card(page, setting))[1]))
        at = int((value - data["low"]) / data["step"] + 1e-6)
        for ending, counts in data["stopped"].items():
            assert str(counts[at]) == cell(page, "stopped", ending, setting), (setting, ending)
        for key, texts in data["texts"].items():
            assert texts["words"][texts["at"][at]] == cell(page, "rate", key, setting)


def test_a_step_without_script_is_one_step_and_stays_in_its_range(office, olga):
    olga.fresh("/ops/policies/draft")
    page = olga.post("/ops/policies/draft", step=f"{FACE}:up", **typed()).text
    assert 'value="6.8"' in card(page)
    page = olga.post("/ops/policies/draft", step="min_strangers:down", **typed()).text
    assert 'value="5000"' in card(page, "min_strangers")
    page = olga.post("/ops/policies/draft", step="min_agreement:up", **typed()).text
    assert 'value="1.0"' in card(page, "min_agreement")
    assert versions(office) == 1
    assert olga.post("/ops/policies/draft", step="version:up", **typed()).status_code == 400


def test_what_is_wrong_is_said_when_values_are_shown(office, olga):
    olga.fresh("/ops/policies/draft")
    answer = olga.post("/ops/policies/draft", show="1", **typed(min_selfie_document="99"))
    assert answer.status_code == 422 and 'value="99"' in card(answer.text) and 'id="problem-min_selfie_document"' in answer.text


def test_the_last_change_says_who_when_and_from_what_to_what(office, olga):
    olga.fresh("/ops/policies/draft")
    number = int(olga.post("/ops/policies/draft", **typed(min_selfie_document="7")).location.rsplit("/", 1)[1])
    with office.db.transaction() as db:
        by = db.merge(office.row(next(iter(people(db)))))
        seen(db, number, by=by, now=office.clock())
        policies.propose(db, number, by=by, reason="Two impostors.", now=office.clock() + timedelta(hours=1))
    page = olga.get("/ops/policies/draft").text
    assert "6.7 → 7" in plain_text(card(page)) and "Olga Ops" in plain_text(card(page))
    assert "Changed never" in plain_text(card(page, "min_selfie_on_file"))


def people(db: Any) -> list[str]:
    from sqlalchemy import select

    from cases.models import Staff

    return list(db.scalars(select(Staff.email).where(Staff.name == "Olga Ops")))


def test_only_who_may_propose_sees_the_editor(office):
    assert office.signed_in(Role.AUDITOR).get("/ops/policies/draft").status_code == 403
    assert office.signed_in(Role.LEAD).get("/ops/policies/draft").status_code == 200


def test_own_pairs_are_counted_at_the_line():
    from verification.calibration import OwnPair

    own = [OwnPair(pair=Pair.SELFIE_DOCUMENT, similarity=s, same=same, person=str(s)) for s, same in
           ((6.0, True), (6.7, True), (9.0, True), (6.7, False), (3.0, False))]  # fmt: skip
    fmr, fnmr = charts.own_rates(own, Pair.SELFIE_DOCUMENT, 6.7)
    assert (fmr.wrong, fmr.n, fnmr.wrong, fnmr.n) == (1, 2, 1, 3)
    assert charts.own_rates(own, Pair.SELFIE_ON_FILE, 6.7)[0].n == 0


def test_the_faces_page_says_its_age_and_warns_of_an_old_one_and_of_other_models(office, olga):
    from tests import factories as a

    fresh = plain(olga.get("/ops/faces"))
    assert "older than a year" not in fresh and "Age:" in fresh and "other models" not in fresh
    with office.db.transaction() as db:
        a.an_approved(db, now=office.clock())  # compared by "acted 1"
    assert "1 of the newest 1 runs were compared by other models" in plain(olga.get("/ops/faces"))
    office.clock.forward(days=calibration.AGES_AFTER.days + 2)
    assert "older than a year: calibrate anew" in plain(office.signed_in(Role.OPS).get("/ops/faces"))


def test_the_faces_page_shows_approvals_by_group_with_n(office, olga):
    past_runs.write(office.settings.database_url, now=office.clock(), count=400)
    page = plain(olga.get("/ops/faces"))
    assert "Approved by the machine, by group" in page and "Of 400 runs" in page
    assert all(country in page for country in ("RUS", "KAZ", "ESP", "MEX")) and "age 20 to 29" in page


def test_the_second_row_leads_only_where_one_may_go(office, olga):
    def links(browser: Browser, address: str) -> list[str]:
        row = browser.get(address).text.split('class="ops-nav"', 1)[1].split("</nav>", 1)[0]
        return re.findall(r'href="([^"]+)"', row)

    for browser in (olga, office.signed_in(Role.LEAD)):
        found = links(browser, "/ops/faces")
        assert "/ops/policies" in found and len(found) >= 5
        assert all(browser.get(address, follow_redirects=True).status_code == 200 for address in found)
    assert "/ops/audit" not in links(olga, "/ops/faces")
    senior = office.signed_in(Role.SENIOR_AGENT)
    assert "/ops/policies" not in links(senior, "/ops/faces")


def test_many_runs_are_read_once_in_ten_minutes_and_few_each_time(office, olga, monkeypatch):
    read, asked = distributions.read, []
    monkeypatch.setattr(distributions, "read", lambda *given, **more: asked.append(1) or read(*given, **more))
    olga.get("/ops/policies/draft")
    olga.get("/ops/policies/draft")
    assert len(asked) == 2, "none are few"
    monkeypatch.setattr(kept_runs, "MANY", 0)
    for _again in range(3):
        assert "read at 12:00" in plain(olga.get("/ops/policies/draft"))
    olga.get("/ops/faces")
    assert len(asked) == 3
    office.clock.forward(minutes=11)
    assert "read at 12:11" in plain(olga.get("/ops/policies/draft"))
    assert len(asked) == 4
