"""Figures for Prometheus: who may read them, what they say, and that alerts and dashboard ask for nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cases import backlog, halts, notifications, switches
from cases.models import Heartbeat, Notification, Role
from tests import factories as a
from tests.cases.test_halts import counted
from tests.webapp.staff_fixtures import Office, a_case, make_office
from webapp import metrics
from workers import queues

TOKEN = "a token for the tests only"
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SAMPLE = re.compile(r"^(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>-?[0-9.e+-]+)$")


@pytest.fixture
def office(settings: Any, database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setattr(queues, "rings", lambda: [queues.Rings(queue=name, rings=2, started=1, failed=0) for name in queues.JOBS])
    made = make_office(settings.model_copy(update={"metrics_token": TOKEN}))
    yield made
    made.db.dispose()


def ask(office: Office, given: str | None = f"Bearer {TOKEN}") -> Any:
    return office.app.test_client().get("/metrics", headers={"Authorization": given} if given else {})


def read(office: Office) -> dict[tuple[str, str], float]:
    found = {}
    for line in ask(office).get_data(as_text=True).splitlines():
        if not line.startswith("#"):
            sample = SAMPLE.match(line)
            assert sample, line
            found[sample["name"], sample["labels"] or ""] = float(sample["value"])
    return found


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer ключ"]
)
def test_figures_are_refused_without_the_token(office, given):
    answer = ask(office, given and given.encode().decode("latin-1"))
    assert answer.status_code == 401 and "peremena" not in answer.get_data(as_text=True)


def test_a_session_of_staff_is_no_token(office):
    assert office.signed_in(Role.OPS).get("/metrics").status_code == 401


def test_without_the_setting_there_are_no_figures_for_anybody(settings, database):
    office = make_office(settings)
    assert ask(office).status_code == 404 and ask(office, "Bearer ").status_code == 404
    office.db.dispose()


def test_the_customers_surface_has_no_figures(settings, database):
    office = make_office(settings.model_copy(update={"metrics_token": TOKEN}), "portal")
    assert ask(office).status_code == 404
    office.db.dispose()


def test_figures_say_what_waits_and_who_works(office, now):
    with office.db.transaction() as db:
        a_case(db, now=now)
        a.a_submitted(db, now=now)
        db.add(Heartbeat(name="verify:host:1", at=now))
        db.add(Heartbeat(name="notify:host:2", at=now))
    office.clock.forward(seconds=40)
    found = read(office)
    assert found["peremena_queue_waiting", 'queue="verify"'] == 1
    assert found["peremena_queue_oldest_seconds", 'queue="verify"'] == 40
    assert found["peremena_queue_waiting", 'queue="desk"'] == 1 and found["peremena_cases", 'state="in_review"'] == 1
    assert found["peremena_workers_alive", 'kind="verify"'] == 1 and found["peremena_workers_alive", 'kind="upkeep"'] == 0
    assert found["peremena_rings", 'queue="papers",state="waiting"'] == 2 and found["peremena_redis_up", ""] == 1
    assert found["peremena_runs_day", 'outcome="refer"'] == 1 and found["peremena_run_seconds_day", 'quantile="0.5"'] == 6.4
    assert found["peremena_automation_on", ""] == 1 and found["peremena_picture_bytes", ""] > 1000
    office.clock.forward(seconds=10)
    assert read(office)["peremena_workers_alive", 'kind="verify"'] == 0  # silent for 50 s


def test_a_halt_is_told_by_its_bound_until_two_people_resume(office, now):
    with office.db.transaction() as db:
        ops, lead = a.a_member(db, Role.OPS, now=now), a.a_member(db, Role.LEAD, now=now)
        counted(db, now, approve=1_001)
    assert read(office)["peremena_halted", 'bound="approvals_per_hour"'] == 0
    with office.db.transaction() as db:
        assert halts.check(db, now=now + timedelta(seconds=1))
    office.clock.forward(seconds=91)
    found = read(office)
    assert found["peremena_halted", 'bound="approvals_per_hour"'] == 1 and found["peremena_halted", 'bound="approve_share"'] == 0
    assert found["peremena_halted_seconds", ""] == 90 and found["peremena_automation_on", ""] == 0
    assert found["peremena_queue_waiting", 'queue="staff_mails"'] == 2, "both may resume"
    with office.db.transaction() as db:
        back = switches.propose_automation(db, by=ops, reason="Mended.", now=office.clock())
        switches.confirm_automation(db, back.id, by=lead, now=office.clock())
    found = read(office)
    assert not any(value for (name, _labels), value in found.items() if name.startswith("peremena_halted"))


def test_redis_that_does_not_answer_is_a_figure_not_an_error(office, monkeypatch):
    def away() -> None:
        raise queues.RingFailed("ConnectionError")

    monkeypatch.setattr(queues, "rings", away)
    found = read(office)
    assert found["peremena_redis_up", ""] == 0 and not any(name == "peremena_rings" for name, _labels in found)


def test_failures_are_counted(office, now):
    with office.db.transaction() as db:
        a.an_in_review(db, now=now)
        for row in db.query(Notification):
            row.tries = notifications.GIVE_UP_AFTER
            notifications.failed(db, row.id, now=now)
    assert read(office)["peremena_failures_week", 'kind="notification"'] >= 1


def test_labels_are_codes_of_closed_lists_and_nothing_is_personal(office, now):
    with office.db.transaction() as db:
        case = a_case(db, now=now)
        numbers = [case.id.hex, str(case.id), str(case.customer_id)]
    text = ask(office).get_data(as_text=True)
    assert not any(word in text for word in (*a.PERSONAL, "ПРИМЕРНАЯ", "host-0", *numbers) if len(word) > 2)
    known = {name: set() for name in metrics.METRICS}
    for name, labels in read(office):
        assert name in known
        known[name].add(labels)
    assert max(len(labels) for labels in known.values()) <= max(len(backlog.Waiting) + len(backlog.Failed), 3 * len(queues.JOBS))
    assert all(re.fullmatch(r'([a-z]+="[a-z0-9_.]+",?)*', labels) for found in known.values() for labels in found)


def test_every_name_is_explained_once_before_its_samples(office):
    lines = ask(office).get_data(as_text=True).splitlines()
    told = [line.split(" ")[2] for line in lines if line.startswith("# TYPE")]
    assert len(told) == len(set(told))
    current = ""
    for line in lines:
        if line.startswith("# TYPE"):
            current = line.split(" ")[2]
        elif not line.startswith("#"):
            assert re.split(r"[{ ]", line)[0] == current


def test_a_label_that_is_not_listed_raises():
    page = metrics.Page()
    with pytest.raises(ValueError, match="labels are"):
        page.add("peremena_cases", 1, case="c")
    page.add("peremena_cases", 1, state='a"b\\c\n')
    assert page.lines[-1] == 'peremena_cases{state="a\\"b\\\\c\\n"} 1'


def expressions() -> Iterator[str]:
    yaml = pytest.importorskip("yaml")
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["alert"] and rule["annotations"]["summary"] and rule["labels"]["severity"] in ("page", "ticket")
            yield rule["expr"]
    board = json.loads((DEPLOY / "grafana/peremena.json").read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_alerts_and_dashboard_use_only_names_and_labels_that_are_told(office):
    told = read(office)
    states = {(name, pair) for name, labels in told for pair in re.findall(r'(\w+="[^"]*")', labels)}
    used: set[str] = set()
    for expression in expressions():
        names = re.findall(r"\bperemena_\w+", expression)
        assert set(names) <= set(metrics.METRICS), expression
        used |= set(names)
        for name, inside in re.findall(r"(peremena_\w+)\{([^}]*)\}", expression):
            for label, sign, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', inside):
                assert label in metrics.METRICS[name].labels, expression
                for one in value.split("|") if sign == "=~" else [value]:
                    if name not in ("peremena_task_age_seconds", "peremena_run_seconds_day"):  # told once there is something
                        assert (name, f'{label}="{one}"') in states, expression
                    elif label == "task":
                        assert one in metrics.TASKS
    assert len(used) >= 18
