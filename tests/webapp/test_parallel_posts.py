"""Twenty identical posts at once, through a real server with threads: one case, and twenty times the same answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from werkzeug.serving import make_server

from cases import api_keys
from cases.database import Database, utcnow
from cases.host_tables import ApiAnswer
from cases.models import Case, Event
from cases.settings import Settings
from webapp.app import create_app

AT_ONCE = 20
CUSTOMER = {
    "profile": {
        "surname": "ABELARDTEST",
        "given_names": "MARITESTA",
        "date_of_birth": "1990-02-03",
        "document_number": "700000001",
    },
    "email": "person@example.test",
    "locale": "en",
}
CASE = {"customer": "c-1", "reason": "marriage", "claim": {"surname": "BERGMANTEST", "document_number": "700000002"}}


class Server:
    """The API on a port, a thread for each request."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token

    def send(self, method: str, path: str, body: object, **headers: str) -> tuple[int, bytes, str | None]:
        """Status, body and ETag; asked again as long as the same request is being carried out, as a client does."""
        told = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        while True:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
            connection.request(method, f"/v1{path}", json.dumps(body), told)
            answer = connection.getresponse()
            got = answer.status, answer.read(), answer.headers.get("ETag")
            connection.close()
            if got[0] == 409 and json.loads(got[1])["code"] == "idempotency_in_progress":
                continue
            return got


@pytest.fixture
def server(database: Database, settings: Settings) -> Iterator[Server]:
    app = create_app(settings, surfaces="api")
    with database.transaction() as session:
        _row, token = api_keys.create(
            session, name="host", mode="live", scopes=("customers:write", "cases:write"), by=None, now=utcnow()
        )
    serving = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield Server(serving.server_port, token)
    serving.shutdown()
    thread.join()
    serving.server_close()
    app.extensions["peremena.database"].dispose()


def at_once(server: Server, method: str, path: str, body: object, **headers: str) -> list[tuple[int, bytes, str | None]]:
    together = threading.Barrier(AT_ONCE)

    def one(_number: int) -> tuple[int, bytes, str | None]:
        together.wait(30)
        return server.send(method, path, body, **headers)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def test_twenty_equal_posts_make_one_case_and_get_one_answer(server: Server, database: Database) -> None:
    assert server.send("PUT", "/customers/c-1", CUSTOMER)[0] == 201
    answers = at_once(server, "POST", "/cases", CASE, **{"Idempotency-Key": str(uuid4())})
    assert len(set(answers)) == 1, {status for status, _body, _tag in answers}
    assert answers[0][0] == 201
    with database.reading() as session:
        opened = session.scalars(select(Case.id)).all()
        assert [str(case) for case in opened] == [json.loads(answers[0][1])["id"]]
        assert session.scalar(select(func.count()).select_from(Event).where(Event.kind == "case_opened")) == 1
        assert session.scalar(select(func.count()).select_from(ApiAnswer)) == 1


def test_without_a_key_one_of_twenty_opens_the_case_and_the_others_are_told_which(server: Server, database: Database) -> None:
    server.send("PUT", "/customers/c-1", CUSTOMER)
    answers = at_once(server, "POST", "/cases", CASE)
    assert sorted(status for status, _body, _tag in answers) == [201] + [409] * (AT_ONCE - 1)
    made = next(json.loads(body)["id"] for status, body, _tag in answers if status == 201)
    assert {json.loads(body)["case_id"] for status, body, _tag in answers if status == 409} == {made}
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 1


def test_twenty_who_write_the_same_new_customer_at_once_write_one(server: Server) -> None:
    answers = at_once(server, "PUT", "/customers/c-1", CUSTOMER)
    assert len({body for _status, body, _tag in answers}) == 1
    assert sorted(status for status, _body, _tag in answers)[-1] == 201
    assert {status for status, _body, _tag in answers} <= {200, 201}
