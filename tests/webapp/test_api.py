"""REST API v1 over HTTP: keys and scopes, both modes, versions, repeated requests, problems, pages, limits, the way back."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from cases import api_keys, customers, moves, photo_store, privacy, webhooks
from cases.audit import Actor
from cases.host_tables import WebhookEndpoint
from cases.models import Case, Customer, Event, Link, Photo
from tests import factories as a
from tests.conftest import NOW
from webapp.api import customers as host_customers
from webapp.api import hooks as host_hooks
from webapp.api import requests as host_requests
from webapp.app import create_app
from webapp.http import FORM_BYTES, UPLOAD_BYTES

PROFILE = {
    "surname": "ABELARDTEST", "given_names": "MARITESTA", "date_of_birth": "1990-02-03", "sex": "F",
    "document_number": "700000001", "nationality": "UTO",
}  # fmt: skip
PERSON = {"profile": PROFILE, "email": "person@example.com", "locale": "en"}
CLAIM = {"reason": "marriage", "claim": {"surname": "BERGMANTEST", "document_number": "700000002"}, "country": "UTO"}
EVERYTHING = tuple(scope for scope in api_keys.SCOPES if scope not in api_keys.TEST_ONLY)
BACK = "https://bank.example"


@dataclass
class Host:
    """A host system with a key of its own."""

    app: Flask
    token: str

    def __call__(self, method: str, path: str, **given: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", **given.pop("headers", {})}
        return self.app.test_client().open(f"/v1{path}", method=method, headers=headers, **given)

    def knows(self, external_id: str = "c-1", **about: Any) -> Any:
        return self("PUT", f"/customers/{external_id}", json={**PERSON, **about})

    def opens(self, external_id: str = "c-1", **headers: str) -> Any:
        return self("POST", "/cases", json={"customer": external_id, **CLAIM}, headers=headers)


@pytest.fixture
def clock() -> list[datetime]:
    return [NOW]


@pytest.fixture
def app(settings, database, clock) -> Iterator[Flask]:
    made = create_app(settings.model_copy(update={"api_per_minute": 100_000}), "portal,api")
    made.extensions["peremena.clock"] = lambda: clock[0]
    yield made
    made.extensions["peremena.database"].dispose()


@pytest.fixture
def key_of(app, database):
    def make(mode: str = "live", scopes: Any = EVERYTHING) -> Host:
        with database.transaction() as session:
            _row, token = api_keys.create(session, name="Core", mode=mode, scopes=scopes, return_origins=[BACK], by=None, now=NOW)
        return Host(app, token)

    return make


@pytest.fixture
def host(key_of) -> Host:
    return key_of()


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The document of a problem, which has everything that RFC 9457 and we promise."""
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.get_data(as_text=True)
    told = json.loads(answer.get_data())
    assert {"type", "title", "status", "detail", "code", "errors"} <= set(told)
    assert (told["status"], told["code"]) == (status, code), told
    return told


# --- Who may


def test_every_operation_wants_a_key_and_its_scope(app, key_of):
    ids = {"external_id": "c-1", "kind": "selfie", "specimen": "approve"}
    for rule in app.url_map.iter_rules():
        described = getattr(app.view_functions[rule.endpoint], "described", None)
        if described is None:
            continue
        path = re.sub(r"<(?:[^:>]*:)?(\w+)>", lambda m: ids.get(m.group(1), str(uuid4())), str(rule)).removeprefix("/v1")
        others = [scope for scope in EVERYTHING if scope != described.scope]
        mode = "test" if described.scope in api_keys.TEST_ONLY else "live"
        stranger, wrong = Host(app, "pk_live_" + "x" * 43), key_of(mode, others)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            refused = stranger(method, path)
            problem(refused, 401, "unauthorized")
            assert refused.headers["WWW-Authenticate"].startswith("Bearer")
            assert described.scope in problem(wrong(method, path), 403, "scope_missing")["detail"]


def test_a_key_in_the_address_or_as_another_scheme_opens_nothing(app, host):
    assert host.knows().status_code == 201
    client = app.test_client()
    for given in ({"query_string": {"access_token": host.token}}, {"headers": {"Authorization": f"Basic {host.token}"}}):
        problem(client.get("/v1/customers/c-1", **given), 401, "unauthorized")


def test_each_mode_has_customers_of_its_own(key_of):
    live, test = key_of("live"), key_of("test")
    case = (live.knows("c-1"), live.opens("c-1"))[1].json["id"]
    assert live("GET", "/customers/c-1").json["livemode"] is True
    for method, path, body in (
        ("GET", "/customers/c-1", None), ("GET", f"/cases/{case}", None), ("GET", f"/cases/{case}/outcome", None),
        ("POST", f"/cases/{case}/cancel", None), ("POST", "/customers/c-1/links", {}),
        ("POST", "/cases", {"customer": "c-1", **CLAIM}),
        ("GET", "/customers/c-1/export", None), ("DELETE", "/customers/c-1", None),
    ):  # fmt: skip
        problem(test(method, path, json=body), 404, "not_found")
    problem(test.knows("c-1"), 409, "other_mode")
    assert test("GET", "/cases").json["data"] == []
    assert live("GET", f"/cases/{case}").json["state"] == "draft"
    assert test.knows("toy").json["livemode"] is False
    problem(live("GET", "/customers/toy"), 404, "not_found")


def test_an_erased_live_customer_is_nothing_to_a_test_key(key_of):
    live, test = key_of("live"), key_of("test")
    live.knows()
    assert live("DELETE", "/customers/c-1").json["state"] == "done"
    assert live("DELETE", "/customers/c-1").json["state"] == "done"  # and again
    problem(test("DELETE", "/customers/c-1"), 404, "not_found")
    problem(live("GET", "/customers/c-1"), 404, "not_found")


# --- The erased

NOT_HERS_ANY_MORE = (
    ("GET", "/customers/{}", {}),
    ("POST", "/customers/{}/links", {"json": {}}),
    ("GET", "/customers/{}/export", {}),
    ("POST", "/cases", {"json": {"customer": "{}", **CLAIM}}),
    ("PUT", "/customers/{}/face", {}),
)


def writes(host: Host, method: str, path: str, given: dict[str, Any], name: str, **headers: str) -> Any:
    """One of NOT_HERS_ANY_MORE, about her by that name."""
    given = json.loads(json.dumps(given).replace('"{}"', json.dumps(name)))
    if path.endswith("/face"):
        given = {"data": a_photo(), "content_type": "image/jpeg"}
    return host(method, path.format(name), headers=headers, **given)


def erased(host: Host) -> tuple[str, str]:
    """A person with a request, erased: the request, and what she is called since."""
    host.knows()
    case = host.opens().json["id"]
    assert host("DELETE", "/customers/c-1").json["state"] == "done"
    return case, host("GET", f"/cases/{case}").json["customer"]


@pytest.mark.parametrize("mode", ["live", "test"])
def test_of_somebody_erased_there_is_nothing_under_either_name(key_of, database, mode):
    host = key_of(mode, api_keys.SCOPES if mode == "test" else EVERYTHING)
    case, since = erased(host)
    assert since.startswith("erased-")
    for name in ("c-1", since):
        for method, path, given in NOT_HERS_ANY_MORE:
            problem(writes(host, method, path, given, name), 404, "not_found")
            problem(writes(host, method, path, given, name, **{"Idempotency-Key": str(uuid4())}), 404, "not_found")
    with database.reading() as session:
        assert len(session.scalars(select(Case)).all()) == 1 and session.scalar(select(func.count()).select_from(Link)) == 0
        assert session.scalar(select(func.count()).select_from(Photo)) == 0
    problem(host("PUT", f"/customers/{since}", json=PERSON), 422, "invalid")
    problem(host("DELETE", f"/customers/{since}"), 404, "not_found")
    again = host("DELETE", "/customers/c-1")
    assert (again.status_code, again.json["state"]) == (200, "done")
    if mode == "test":
        problem(host("POST", f"/sandbox/cases/{case}/submit", headers={"Idempotency-Key": "s"}), 409, "state_conflict")
        told = host("POST", f"/sandbox/cases/{case}/answer", json={"action": "approve"}, headers={"Idempotency-Key": "a"})
        problem(told, 409, "state_conflict")
    assert host.knows().status_code == 201  # somebody new to us
    assert host.opens().status_code == 201


def test_closed_requests_of_somebody_erased_are_codes_and_cancelling_them_is_answered_alike(host, database):
    case, since = erased(host)
    for query in ("", f"?customer={since}"):
        (listed,) = host("GET", f"/cases{query}").json["data"]
        assert (listed["id"], listed["customer"], listed["state"]) == (case, since, "withdrawn")
    assert host("GET", "/cases?customer=c-1").json["data"] == []
    outcome = host("GET", f"/cases/{case}/outcome")
    assert (outcome.status_code, outcome.json["customer"], outcome.json["applied"]) == (200, since, None)
    plain = host("POST", f"/cases/{case}/cancel")
    with_key = [host("POST", f"/cases/{case}/cancel", headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [one.status_code for one in (plain, *with_key)] == [200] * 3
    assert plain.json == with_key[0].json == with_key[1].json
    assert with_key[1].headers["Idempotent-Replayed"] == "true"


def test_an_approval_of_somebody_erased_has_no_details_to_take_over(host, database, now):
    with database.transaction() as session:
        case = a.an_approved(session, now=now)
        external_id, case_id = session.get_one(Customer, case.customer_id).external_id, case.id
    assert host("GET", f"/cases/{case_id}/outcome").json["applied"] is not None
    assert host("DELETE", f"/customers/{external_id}?reason=order").json["state"] == "done"
    outcome = host("GET", f"/cases/{case_id}/outcome")
    assert (outcome.status_code, outcome.json["state"], outcome.json["applied"]) == (200, "approved", None)
    for headers in ({}, {"Idempotency-Key": "k"}):
        problem(host("POST", f"/cases/{case_id}/cancel", headers=headers), 409, "state_conflict")


def erases_after(look: Any, database: Any) -> Any:
    """What looks a customer up, and then somebody else erases her: in a transaction beside this one where there can be one."""

    def looked(db: Any, external_id: str) -> Any:
        found = look(db, external_id)
        if found is not None:
            what = {"actor": Actor(kind="host", id=str(uuid4())), "reason": "wish", "now": NOW}
            if database.engine.dialect.name == "postgresql":
                with database.transaction() as beside:
                    assert privacy.erase(beside, found.id, **what).state == "done"
            else:
                assert privacy.erase(db, found.id, **what).state == "done"
        return found

    return looked


@pytest.mark.parametrize(("method", "path", "given"), [one for one in NOT_HERS_ANY_MORE if one[0] != "GET"])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["plain", "once"])
def test_whoever_is_erased_between_look_and_lock_is_not_written_to(host, database, monkeypatch, method, path, given, headers):
    host.knows()
    with monkeypatch.context() as patched:
        for module in (host_customers, host_requests):
            patched.setattr(module, "known", erases_after(host_customers.known, database))
        problem(writes(host, method, path, given, "c-1", **headers), 404, "not_found")
    with database.reading() as session:
        for model in (Case, Photo, Link):
            assert session.scalar(select(func.count()).select_from(model)) == 0


@pytest.mark.parametrize(
    ("header", "status"), [({}, 201), ({"If-None-Match": "*"}, 201), ({"If-Match": "*"}, 412)], ids=["plain", "new", "match"]
)
def test_a_customer_who_is_erased_while_she_is_written_is_somebody_new(host, database, monkeypatch, header, status):
    host.knows()
    lock = moves.lock_customer

    def waited(db: Any, customer_id: UUID) -> Customer:
        patched.undo()
        erases_after(lambda db, found: db.get_one(Customer, found), database)(db, customer_id)
        return lock(db, customer_id)

    with monkeypatch.context() as patched:
        if header:  # after the first look of all
            patched.setattr(host_customers, "_visible", erases_after(host_customers._visible, database))
        else:  # after the look that found her, just before her row is locked
            patched.setattr(moves, "lock_customer", waited)
        written = host("PUT", "/customers/c-1", json=PERSON, headers=header)
    assert written.status_code == status, written.get_data(as_text=True)
    if status == 201:
        assert host("GET", "/customers/c-1").json["version"] == 1
    with database.reading() as session:
        assert any(one.external_id.startswith("erased-") for one in session.scalars(select(Customer))) or status == 412


# --- Customers


def test_a_customer_is_written_once_and_a_new_version_only_where_something_changed(host, database):
    first = host.knows()
    assert (first.status_code, first.headers["Location"]) == (201, "/v1/customers/c-1")
    again = host.knows()
    assert (again.status_code, again.json, again.headers["ETag"]) == (200, first.json, first.headers["ETag"])
    changed = host.knows(profile={**PROFILE, "surname": "BERGMANTEST"})
    assert (changed.json["version"], changed.json["profile"]["surname"]) == (2, "BERGMANTEST")
    with database.reading() as session:
        actors = session.scalars(select(Event.actor_id).where(Event.kind == "profile_synced")).all()
    assert len(actors) == 2 and len(set(actors)) == 1  # the key's id


@pytest.mark.parametrize(
    ("profile", "pointer", "code"),
    [
        ({"date_of_birth": "2990-01-01"}, "/profile/date_of_birth", "future"),
        ({"date_of_birth": "1990-02-30"}, "/profile/date_of_birth", "value_error"),
        ({"date_of_birth": "1790-02-03"}, "/profile/date_of_birth", "too_old"),
        ({"surname": "ИВАНОВА"}, "/profile/surname", "latin"),
        ({"surname": "R2D2"}, "/profile/surname", "name"),
        ({"document_number": "45 10"}, "/profile/document_number", "string_pattern_mismatch"),
        ({"nationality": "Kazakhstan"}, "/profile/nationality", "string_pattern_mismatch"),
        ({"sex": "W"}, "/profile/sex", "literal_error"),
        ({"issued_on": "2020-01-02", "expires_on": "2020-01-01"}, "/profile/expires_on", "before_issue"),
        ({"shoe_size": "38"}, "/profile/shoe_size", "extra_forbidden"),
        ({"place_of_birth": "A\u0000B"}, "/profile/place_of_birth", "text"),
    ],
)
def test_what_cannot_be_is_told_by_its_field_and_nothing_is_kept(host, database, profile, pointer, code):
    told = problem(host.knows(profile={**PROFILE, **profile}), 422, "invalid")
    assert (pointer, code) in {(one["pointer"], one["code"]) for one in told["errors"]}, told
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 0


def test_an_error_tells_the_place_and_never_the_value(host):
    answer = host.knows(profile={**PROFILE, "surname": "ZZYX 9", "Zzyx Qqertz": "1"}, email="zzyx")
    assert "zzyx" not in answer.get_data(as_text=True).lower()


@pytest.mark.parametrize("external_id", ["person@example.com", "Иванова", "a b", ".hidden", "erased-1", "x" * 101])
def test_an_id_that_could_say_who_she_is_is_refused(host, external_id):
    told = problem(host("PUT", f"/customers/{external_id}", json=PERSON), 422, "invalid")
    assert told["errors"][0]["pointer"] == "path:external_id"


def test_versions_are_told_and_asked_for(host):
    tag = host.knows().headers["ETag"]
    read = host("GET", "/customers/c-1", headers={"If-None-Match": tag})
    assert (read.status_code, read.data) == (304, b"")
    assert host("PUT", "/customers/c-1", json={**PERSON, "locale": "ru"}, headers={"If-Match": tag}).status_code == 200
    problem(host("PUT", "/customers/c-1", json=PERSON, headers={"If-Match": tag}), 412, "precondition_failed")
    problem(host("PUT", "/customers/c-1", json=PERSON, headers={"If-None-Match": "*"}), 412, "precondition_failed")
    problem(host("PUT", "/customers/c-2", json=PERSON, headers={"If-Match": "*"}), 412, "precondition_failed")
    assert host("PUT", "/customers/c-2", json=PERSON, headers={"If-None-Match": "*"}).status_code == 201
    assert host("GET", "/customers/c-1", headers={"If-None-Match": tag}).status_code == 200


def a_photo() -> bytes:
    out = io.BytesIO()
    picture = Image.effect_noise((600, 800), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    picture.save(out, "JPEG", exif=exif, quality=90)
    return out.getvalue()


def test_a_face_on_file_is_decoded_cleaned_and_kept_sealed(host, database):
    host.knows()
    sent = a_photo()
    kept = host("PUT", "/customers/c-1/face", data=sent, content_type="image/jpeg")
    assert (kept.status_code, kept.json["width"], kept.json["height"]) == (200, 600, 800)
    assert host("GET", "/customers/c-1").json["face_on_file"] is True
    with database.reading() as session:
        photo = session.scalars(select(Photo).where(Photo.current)).one()
        data = photo_store.read(session, photo)
    assert b"taken at home" in sent and b"taken at home" not in data


def test_what_is_no_photo_is_no_face(host):
    host.knows()
    put = "PUT", "/customers/c-1/face"
    told = problem(host(*put, data=b"%PDF-1.7 nothing to see", content_type="image/jpeg"), 422, "photo_unfit")
    assert told["errors"][0]["code"] == "image_format_unknown"
    problem(host(*put, data=a_photo(), content_type="text/html"), 415, "unsupported_media_type")
    problem(host(*put, data=b"\xff" * (UPLOAD_BYTES + 1), content_type="image/jpeg"), 413, "too_large")
    problem(host("PUT", "/customers/nobody/face", data=a_photo(), content_type="image/jpeg"), 404, "not_found")


# --- Cases


def test_a_case_is_a_draft_with_her_claim_and_no_consent(host, database):
    host.knows()
    made = host.opens()
    assert (made.status_code, made.headers["Location"]) == (201, f"/v1/cases/{made.json['id']}")
    assert (made.json["state"], made.json["attempt"], made.json["customer"]) == ("draft", 0, "c-1")
    assert host("GET", "/customers/c-1").json["open_case"] == made.json["id"]
    with database.reading() as session:
        case = session.scalars(select(Case)).one()
        assert case.consented_at is None
        event = session.scalars(select(Event).where(Event.kind == "case_opened")).one()
        assert event.actor_kind == "host" and event.actor_id


def test_why_a_case_cannot_be_opened(host):
    host.knows()
    same = {"customer": "c-1", "reason": "mistake", "claim": {"surname": "ABELARDTEST"}}
    problem(host("POST", "/cases", json=same), 422, "nothing_changes")
    problem(host("POST", "/cases", json={**same, "claim": {}}), 422, "invalid")
    problem(host("POST", "/cases", json={**same, "customer": "nobody"}), 404, "not_found")
    opened = host.opens()
    assert problem(host.opens(), 409, "case_open")["case_id"] == opened.json["id"]


def test_a_cancelled_case_stays_cancelled_and_an_approved_one_cannot_be(host, database, now):
    host.knows()
    case = host.opens()
    stale = host("POST", f"/cases/{case.json['id']}/cancel", headers={"If-Match": '"older"'})
    problem(stale, 412, "precondition_failed")
    done = host("POST", f"/cases/{case.json['id']}/cancel", headers={"If-Match": case.headers["ETag"]})
    assert (done.json["state"], done.json["open"]) == ("withdrawn", False)
    assert host("POST", f"/cases/{case.json['id']}/cancel").json == done.json
    with database.transaction() as session:
        approved = a.an_approved(session, now=now).id
    assert problem(host("POST", f"/cases/{approved}/cancel"), 409, "state_conflict")["state"] == "approved"


def test_the_outcome_of_an_approval_names_what_holds_now(host, database, now):
    with database.transaction() as session:
        case = a.an_approved(session, now=now)
        case_id = case.id
    told = host("GET", f"/cases/{case_id}/outcome").json
    assert (told["state"], told["decision"], told["decided_by"]) == ("approved", "approve", "machine")
    assert told["policy_version"] == 1 and told["differing"] == []
    assert told["applied"]["version"] == 2
    assert told["applied"]["fields"] == ["surname", "document_number", "expires_on"]
    assert told["applied"]["profile"]["surname"] == "BERGMANTEST"
    assert told["applied"]["profile"]["earlier_numbers"] == ["700000001"]


def test_outcomes_of_people_and_of_cases_without_one(host, database, now):
    with database.transaction() as session:
        refused, draft = a.a_rejected(session, now=now).id, a.a_draft(session, now=now).id
        reverted = a.a_reverted(session, now=now).id
    told = host("GET", f"/cases/{refused}/outcome").json
    assert (told["decision"], told["decided_by"], told["applied"]) == ("reject", "person", None)
    assert told["reasons"]
    nothing = host("GET", f"/cases/{draft}/outcome").json
    assert (nothing["decision"], nothing["decided_by"], nothing["decided_at"]) == (None, None, None)
    back = host("GET", f"/cases/{reverted}/outcome").json
    assert (back["state"], back["applied"]) == ("reverted", None)


def test_letters_that_differ_are_told_by_the_name_of_the_field(host, database, now):
    with database.transaction() as session:
        case_id = a.an_in_review(session, now=now, evidence=a.a_letter_different()).id
    told = host("GET", f"/cases/{case_id}/outcome").json
    assert (told["decision"], told["differing"]) == ("refer", ["surname"])
    assert "BERGMAN" not in json.dumps(told)


def test_pages_hold_every_case_once_while_others_are_opened(host, database, clock):
    for number in range(7):
        clock[0] = NOW + timedelta(seconds=number // 2)  # some at the very same moment
        host.knows(f"c-{number}", email=f"p{number}@example.com")
        host.opens(f"c-{number}")
    seen: list[str] = []
    after = ""
    while True:
        page = host("GET", f"/cases?limit=2{after}").json
        seen += [case["customer"] for case in page["data"]]
        if not seen[2:]:
            host.knows("late")
            host.opens("late")
        if not page["has_more"]:
            break
        after = f"&after={page['next']}"
    assert page["next"] is None
    assert sorted(seen) == [f"c-{number}" for number in range(7)]
    assert [c["customer"] for c in host("GET", "/cases?customer=c-3").json["data"]] == ["c-3"]
    assert host("GET", "/cases?state=approved").json["data"] == []
    for query in ("limit=0", "limit=101", "limit=x", "after=zzz", "after=MTIz", "state=eaten", "colour=red"):
        problem(host("GET", f"/cases?{query}"), 422, "invalid")


# --- The same request again


def test_the_same_post_again_is_given_the_same_answer(host, database):
    host.knows()
    first = host.opens(**{"Idempotency-Key": "k-1"})
    again = host.opens(**{"Idempotency-Key": "k-1"})
    assert (again.status_code, again.data, again.headers["ETag"]) == (201, first.data, first.headers["ETag"])
    assert again.headers["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first.headers
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 1
    other = host("POST", "/cases", json={"customer": "c-1", **CLAIM, "reason": "court"}, headers={"Idempotency-Key": "k-1"})
    problem(other, 422, "idempotency_mismatch")


def test_a_refusal_that_was_thought_over_is_given_again_and_a_malformed_request_is_not_kept(host):
    host.knows()
    case = host.opens().json["id"]
    refused = host.opens(**{"Idempotency-Key": "k-2"})
    problem(refused, 409, "case_open")
    host("POST", f"/cases/{case}/cancel")
    again = host.opens(**{"Idempotency-Key": "k-2"})
    assert (again.status_code, again.data) == (409, refused.data)
    wrong = {"customer": "c-1", "reason": "none"}
    problem(host("POST", "/cases", json=wrong, headers={"Idempotency-Key": "k-3"}), 422, "invalid")
    assert host.opens(**{"Idempotency-Key": "k-3"}).status_code == 201


def test_after_a_day_the_key_is_new_again(host, clock):
    host.knows()
    first = host("POST", "/customers/c-1/links", json={}, headers={"Idempotency-Key": "k"}).json["url"]
    clock[0] += timedelta(hours=23)
    assert host("POST", "/customers/c-1/links", json={}, headers={"Idempotency-Key": "k"}).json["url"] == first
    clock[0] += timedelta(hours=1)
    assert host("POST", "/customers/c-1/links", json={}, headers={"Idempotency-Key": "k"}).json["url"] != first


def test_twenty_at_once_open_one_case(host, database):
    host.knows()
    begin, answers = threading.Barrier(20), []

    def post() -> None:
        begin.wait()
        answers.append(host.opens(**{"Idempotency-Key": "one"}))

    threads = [threading.Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 1


def test_an_idempotency_key_of_strange_letters_is_refused(host):
    host.knows()
    for wrong in ("", "x" * 256, "a b", "ключ".encode().decode("latin-1")):
        problem(host.opens(**{"Idempotency-Key": wrong}), 400, "malformed")


def test_an_answer_of_an_erased_person_is_gone(host):
    host.knows()
    host("POST", "/customers/c-1/links", json={}, headers={"Idempotency-Key": "k"})
    assert host("DELETE", "/customers/c-1").json["state"] == "done"
    gone = host("POST", "/customers/c-1/links", json={}, headers={"Idempotency-Key": "k"})
    assert gone.status_code in (404, 410)  # cases.privacy removes the row as well
    assert "enter/" not in gone.get_data(as_text=True)


# --- Problems and limits


def test_every_error_of_this_surface_is_a_problem(app, host):
    client = app.test_client()
    problem(client.get("/v1/nothing"), 404, "not_found")
    wrong_method = client.delete("/v1/cases")
    problem(wrong_method, 405, "method_not_allowed")
    assert {"GET", "POST"} <= {method.strip() for method in wrong_method.headers["Allow"].split(",")}
    problem(host("PUT", "/customers/c-1", data="{", content_type="application/json"), 400, "malformed")
    problem(host("PUT", "/customers/c-1", data=b"[" * 60_000, content_type="application/json"), 400, "malformed")
    problem(
        host("PUT", "/customers/c-1", data="x=1", content_type="application/x-www-form-urlencoded"), 415, "unsupported_media_type"
    )
    problem(host("PUT", "/customers/c-1", data=b" " * (FORM_BYTES + 1), content_type="application/json"), 413, "too_large")
    problem(host("GET", "/cases/not-a-uuid"), 404, "not_found")
    problem(host("POST", "/cases", json={}, headers={"Origin": "https://evil.test"}), 400, "malformed")


def test_an_accident_is_a_problem_that_tells_nothing_and_leaves_nothing(app, host, monkeypatch, database):
    def accident(*_args: Any, **_named: Any) -> None:
        raise RuntimeError("what nobody shall read")

    app.config["PROPAGATE_EXCEPTIONS"] = False
    host.knows()
    with monkeypatch.context() as broken:
        broken.setattr("cases.intake.open_case", accident)
        told = problem(host.opens(**{"Idempotency-Key": "k"}), 500, "error")
    assert "nobody" not in json.dumps(told) and told["request"]
    assert host.opens(**{"Idempotency-Key": "k"}).status_code == 201  # the key is still free


def test_pages_of_the_other_surfaces_stay_as_they_were(app):
    client = app.test_client()
    missing = client.get("/nothing")
    assert (missing.status_code, missing.mimetype) == (404, "text/html")
    door = client.get("/sign-in")
    assert "default-src 'none'" in door.headers["Content-Security-Policy"] and door.mimetype == "text/html"
    refused = client.post("/sign-out")
    assert (refused.status_code, refused.mimetype) == (400, "text/html")  # no CSRF token


def test_a_key_has_so_many_requests_a_minute(settings, database, key_of, clock):
    strict = create_app(settings.model_copy(update={"api_per_minute": 3}), "api")
    strict.extensions["peremena.clock"] = lambda: clock[0]
    one, other = key_of(), key_of()
    one, other = replace(one, app=strict), replace(other, app=strict)
    left = [one("GET", "/cases").headers["RateLimit"] for _ in range(3)]
    assert left == ['"key";r=2;t=60', '"key";r=1;t=60', '"key";r=0;t=60']
    refused = one("GET", "/cases")
    problem(refused, 429, "rate_limited")
    assert refused.headers["Retry-After"] == "60" and refused.headers["RateLimit-Policy"] == '"key";q=3;w=60'
    assert other("GET", "/cases").status_code == 200
    clock[0] += timedelta(minutes=1)
    assert one("GET", "/cases").status_code == 200
    strict.extensions["peremena.database"].dispose()


def test_whoever_guesses_keys_has_to_wait(app):
    stranger = Host(app, "pk_live_" + "x" * 43)
    for _ in range(60):
        assert stranger("GET", "/cases").status_code == 401
    problem(stranger("GET", "/cases"), 429, "rate_limited")


def test_answers_are_kept_by_nobody_and_set_no_cookie(host):
    answer = host.knows()
    assert answer.headers["Cache-Control"] == "no-store" and "Set-Cookie" not in answer.headers


# --- Hand-over


def token_of(link: Any) -> str:
    found = re.search(r"/enter/([\w-]+)$", link.json["url"])
    assert found
    return found.group(1)


def enter(app: Flask, token: str) -> tuple[Any, Any]:
    app.config["WTF_CSRF_ENABLED"] = False
    browser = app.test_client()
    return browser, browser.post("/enter", data={"token": token})


def test_a_link_signs_her_in_once_in_her_language_and_the_portal_leads_back(app, host, database, now):
    with database.transaction() as session:
        case = a.an_approved(session, now=now)
        external_id, case_id = session.get_one(Customer, case.customer_id).external_id, str(case.id)
    wanted = {"locale": "es", "return_url": f"{BACK}/perfil?paso=2", "case_id": case_id}
    link = host("POST", f"/customers/{external_id}/links", json=wanted)
    assert link.status_code == 201
    browser, entered = enter(app, token_of(link))
    assert entered.location == f"/requests/{case_id}"
    page = browser.get(entered.location).get_data(as_text=True)
    assert 'lang="es"' in page
    assert f'href="{BACK}/perfil?paso=2"' in page and "bank.example" in page
    assert enter(app, token_of(link))[1].status_code == 410


def test_without_a_return_address_there_is_no_way_back_and_links_are_short_lived(app, host, database, clock, now):
    with database.transaction() as session:
        case = a.an_approved(session, now=now)
        external_id = session.get_one(Customer, case.customer_id).external_id
    link = host("POST", f"/customers/{external_id}/links", json={"case_id": str(case.id)})
    browser, entered = enter(app, token_of(link))
    assert "way-back" not in browser.get(entered.location).get_data(as_text=True)
    late = host("POST", f"/customers/{external_id}/links", json={})
    clock[0] += timedelta(minutes=10)
    assert enter(app, token_of(late))[1].status_code == 410


def test_links_to_addresses_and_cases_that_are_not_hers_are_refused(host, database, now):
    host.knows()
    for address in ("https://evil.test/", "http://bank.example/", "https://bank.example.evil.test/", "javascript:alert(1)"):
        problem(host("POST", "/customers/c-1/links", json={"return_url": address}), 422, "return_url_refused")
    with database.transaction() as session:
        others = str(a.a_draft(session, now=now).id)
    problem(host("POST", "/customers/c-1/links", json={"case_id": others}), 422, "invalid")


def test_the_way_back_and_the_token_lie_sealed(host, database):
    host.knows()
    link = host("POST", "/customers/c-1/links", json={"return_url": f"{BACK}/secret-path"})
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM links").fetchall()
    assert "secret-path" not in repr(rows) and token_of(link) not in repr(rows)


# --- The document


def test_the_document_names_every_operation_with_an_example_for_every_status(app, host):
    told = app.test_client().get("/v1/openapi.json")
    assert told.status_code == 200
    spec = told.json
    assert spec["openapi"].startswith("3.1")
    served = {
        (re.sub(r"<(?:[^>]*:)?(\w+)>", r"{\1}", str(rule)), method.lower())
        for rule in app.url_map.iter_rules()
        if hasattr(app.view_functions[rule.endpoint], "described")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    documented = {(path, method) for path, methods in spec["paths"].items() for method in methods}
    assert documented == served
    names = [operation["operationId"] for methods in spec["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    references = set(re.findall(r'"\$ref": ?"#/components/(\w+)/([^"]+)"', json.dumps(spec)))
    assert references and all(name in spec["components"][kind] for kind, name in references)
    for methods in spec["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"key": []}] and operation["summary"]
            assert {"400", "401", "403", "429", "500"} <= set(operation["responses"])
            for status, answer in operation["responses"].items():
                for media, body in answer.get("content", {}).items():
                    assert body["schema"], status
                    if media == "application/problem+json":
                        assert all(str(one["value"]["status"]) == status for one in body["examples"].values())


def test_the_documentation_is_a_page_of_our_own_without_script(app):
    page = app.test_client().get("/v1/docs")
    text = page.get_data(as_text=True)
    assert page.status_code == 200 and "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<script" not in text and "//cdn" not in text
    assert "/v1/customers/{external_id}" in text and 'id="case_open"' in text
    assert app.test_client().get("/v1").location == "/v1/docs"


def test_a_person_is_exported_and_the_trail_says_who_asked(host, database):
    host.knows()
    copy = host("GET", "/customers/c-1/export?pictures=true")
    assert copy.status_code == 200 and copy.json["details"][0]["values"]["surname"] == "ABELARDTEST"
    with database.reading() as session:
        event = session.scalars(select(Event).where(Event.kind == "person_exported")).one()
    assert event.actor_kind == "host"
    problem(host("GET", "/customers/c-1/export?pictures=perhaps"), 422, "invalid")


def test_two_hosts_that_add_the_same_person_at_once_get_one(host, database):
    begin, answers = threading.Barrier(2), []

    def put() -> None:
        begin.wait()
        answers.append(host.knows("twin").status_code)

    threads = [threading.Thread(target=put) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 201]
    with database.reading() as session:
        assert len(session.scalars(select(Customer).where(Customer.external_id == "twin")).all()) == 1
        assert customers.current_profile(session, session.scalars(select(Customer)).one())[1] == "person@example.com"


def test_of_two_that_want_her_only_if_she_is_new_one_is_refused(host, database, monkeypatch):
    begin, looked, answers = threading.Barrier(2), threading.Barrier(2), {}
    look = host_customers._visible

    def both_look(db: Any, external_id: str) -> Any:
        found = look(db, external_id)
        if database.engine.dialect.name == "postgresql":  # on SQLite one transaction writes at a time anyway
            looked.wait()
        return found

    def put(email: str) -> None:
        begin.wait()
        answers[email] = host("PUT", "/customers/twin", json={**PERSON, "email": email}, headers={"If-None-Match": "*"})

    with monkeypatch.context() as patched:
        patched.setattr(host_customers, "_visible", both_look)
        threads = [threading.Thread(target=put, args=(f"{name}@example.com",)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    (made,) = [email for email, answer in answers.items() if answer.status_code == 201]
    (refused,) = [answer for email, answer in answers.items() if email != made]
    problem(refused, 412, "precondition_failed")
    held = host("GET", "/customers/twin").json
    assert (held["email"], held["version"]) == (made, 1)


def test_what_was_delivered_changes_no_endpoint_and_what_people_do_does(host, database, now):
    made = host("POST", "/webhook_endpoints", json={"url": "https://bank.example/hooks", "kinds": ["case.approved"]})
    path = f"/webhook_endpoints/{made.json['id']}"
    seen = host("GET", path).headers["ETag"]
    with database.transaction() as session:
        session.scalars(select(WebhookEndpoint)).one().last_success_at = now
    read = host("GET", path)
    assert read.json["last_success_at"] is not None and read.headers["ETag"] == seen
    assert seen.startswith('W/"'), "another body under the same tag: a weak one"
    changed = host("PATCH", path, json={"kinds": ["case.rejected"]}, headers={"If-Match": seen})
    assert changed.status_code == 200 and changed.headers["ETag"] != seen
    problem(host("DELETE", path, headers={"If-Match": seen}), 412, "precondition_failed")
    with database.transaction() as session:
        session.scalars(select(WebhookEndpoint)).one().last_success_at = now + timedelta(hours=1)
    assert host("DELETE", path, headers={"If-Match": changed.headers["ETag"]}).status_code == 204


def test_an_endpoint_is_locked_before_its_version_is_looked_at(host, database, monkeypatch):
    made = host("POST", "/webhook_endpoints", json={"url": "https://bank.example/hooks", "kinds": ["case.approved"]})
    path = f"/webhook_endpoints/{made.json['id']}"
    asked = []

    def free_for_others(current: Any) -> None:
        if database.engine.dialect.name == "postgresql":  # on SQLite nobody else writes while this transaction is open
            with database.transaction() as beside:
                found = beside.scalars(select(WebhookEndpoint).with_for_update(skip_locked=True, of=WebhookEndpoint)).all()
        else:
            found = []
        asked.append(len(found))

    monkeypatch.setattr(host_hooks, "precondition", free_for_others)
    tag = {"If-Match": host("GET", path).headers["ETag"]}
    assert host("PATCH", path, json={"enabled": True}, headers=tag).status_code == 200
    assert host("DELETE", path, headers=tag).status_code == 204
    assert asked == [0, 0]


def test_a_host_replaces_its_secret_and_asks_for_a_test_event(host, key_of, database, clock):
    made = host("POST", "/webhook_endpoints", json={"url": "https://bank.example/hooks", "kinds": ["case.approved"]})
    path = f"/webhook_endpoints/{made.json['id']}"
    once = {"Idempotency-Key": "r"}
    new = host("POST", f"{path}/rotate", json={"overlap_hours": 2}, headers=once)
    assert new.status_code == 200 and new.json["secret"].startswith("whsec_") and new.json["secret"] != made.json["secret"]
    assert host("POST", f"{path}/rotate", json={"overlap_hours": 2}, headers=once).json == new.json
    assert datetime.fromisoformat(new.json["old_secret_until"]) == clock[0] + timedelta(hours=2)
    for hours in (-1, 169, "2", 1.5):
        problem(host("POST", f"{path}/rotate", json={"overlap_hours": hours}), 422, "invalid")
    sent = host("POST", f"{path}/test", headers={"Idempotency-Key": "t"})
    assert (sent.status_code, sent.json["kind"], sent.json["outcome"]) == (202, "webhook.test", "waiting")
    assert host("POST", f"{path}/test", headers={"Idempotency-Key": "t"}).json == sent.json
    with database.transaction() as session:
        assert webhooks.due(session, now=clock[0]) == [UUID(sent.json["id"])]
        signs_with = webhooks.begin_sending(session, UUID(sent.json["id"]), now=clock[0]).secrets
    assert signs_with == (new.json["secret"], made.json["secret"])
    lost = host("POST", f"{path}/rotate", json={"overlap_hours": 0})
    assert lost.json["old_secret_until"] is None
    for way, body in (("rotate", {}), ("test", None)):
        problem(key_of("test")("POST", f"{path}/{way}", json=body), 404, "not_found")
    host("PATCH", path, json={"enabled": False})
    problem(host("POST", f"{path}/test"), 409, "conflict")


def test_webhook_endpoints_are_set_up_by_the_host_itself(host, key_of):
    wanted = {"url": "https://bank.example/hooks", "kinds": ["case.approved", "profile.changed"]}
    made = host("POST", "/webhook_endpoints", json=wanted, headers={"Idempotency-Key": "w"})
    assert made.status_code == 201 and made.json["secret"].startswith("whsec_") and made.json["livemode"] is True
    assert host("POST", "/webhook_endpoints", json=wanted, headers={"Idempotency-Key": "w"}).json == made.json
    path = f"/webhook_endpoints/{made.json['id']}"
    read = host("GET", path)
    assert "secret" not in read.json and [one["id"] for one in host("GET", "/webhook_endpoints").json["data"]] == [
        made.json["id"]
    ]
    off = host("PATCH", path, json={"enabled": False}, headers={"If-Match": read.headers["ETag"]})
    assert (off.json["enabled"], off.json["disabled_why"]) == (False, "by_hand")
    problem(host("PATCH", path, json={"enabled": True}, headers={"If-Match": read.headers["ETag"]}), 412, "precondition_failed")
    problem(host("PATCH", path, json={}), 422, "invalid")
    problem(host("PATCH", path, json={"enabled": "yes"}), 422, "invalid")
    bad = problem(host("POST", "/webhook_endpoints", json={**wanted, "url": "ftp://bank.example"}), 422, "invalid")
    assert bad["errors"][0]["pointer"] == "/url"
    problem(key_of("test")("GET", path), 404, "not_found")
    assert key_of("test")("GET", "/webhook_endpoints").json["data"] == []
    gone = host("DELETE", path)
    assert (gone.status_code, gone.data) == (204, b"")
    problem(host("GET", path), 404, "not_found")
    problem(host("POST", f"/webhook_deliveries/{uuid4()}/replay"), 404, "not_found")


def test_a_database_that_lets_nobody_in_is_told_as_busy(app, host, monkeypatch):
    def away(*_args: Any, **_named: Any) -> None:
        raise OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))

    monkeypatch.setattr(api_keys, "authenticate", away)
    told = host("GET", "/cases")
    problem(told, 503, "busy")
    assert told.headers["Retry-After"] == "1"


def test_an_erasure_that_waits_is_answered_as_accepted(host, database, now):
    with database.transaction() as session:
        case = a.an_approved(session, now=now)
        external_id = session.get_one(Customer, case.customer_id).external_id
    waits = host("DELETE", f"/customers/{external_id}")
    assert (waits.status_code, waits.json["state"]) == (202, "waiting") and waits.json["holds"]
    assert host("GET", f"/customers/{external_id}").status_code == 200
    ordered = host("DELETE", f"/customers/{external_id}?reason=order")
    assert (ordered.status_code, ordered.json["state"]) == (200, "done")
    problem(host("DELETE", f"/customers/{external_id}?reason=fun"), 422, "invalid")
