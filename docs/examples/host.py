"""A lender's own application in thirty lines: she logs in, is handed over, and her page shows the new name.

See README.md in this folder for how to start it.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, Response, redirect, render_template_string, request, session
from peremena_client import Peremena
from verify_webhook import BadSignature, verified
from werkzeug.wrappers import Response as AnyResponse

app = Flask(__name__)
app.config.update(SECRET_KEY=os.urandom(32), SESSION_COOKIE_SAMESITE="Lax")
peremena = Peremena(os.environ["PEREMENA_URL"], os.environ["PEREMENA_KEY"])
PAGE = """<!doctype html><title>Bank</title>{% if her %}<p>Hello, {{ her.given_names }} {{ her.surname }}.</p>
<form method="post" action="/change"><button>My name has changed</button></form>
{% else %}<form method="post" action="/login"><button>Log in</button></form>{% endif %}"""
app.register_error_handler(BadSignature, lambda error: ("", 400))
HER = {"given_names": "MARITESTA", "surname": "ABELARDTEST", "date_of_birth": "1990-02-03", "document_number": "700000001"}
PEOPLE: dict[str, dict[str, Any]] = {"c-1042": HER}  # your own table of customers


@app.get("/")
def home() -> str:
    return render_template_string(PAGE, her=PEOPLE.get(session.get("customer", "")))


@app.post("/login")
def login() -> AnyResponse:
    session["customer"] = "c-1042"  # your own way of knowing who she is
    return redirect("/", 303)


@app.post("/change")
def change() -> AnyResponse:
    peremena.put_customer(session["customer"], profile=PEOPLE[session["customer"]], email="person@example.com", locale="en")
    return redirect(peremena.create_link(session["customer"], return_url=request.host_url)["url"], 303)


@app.post("/hooks/peremena")
def hook() -> Response:
    event = verified(dict(request.headers), request.get_data(), os.environ["PEREMENA_WEBHOOK_SECRET"])
    if event["type"] == "profile.changed":  # thin: who it is. What holds now is read by the API, so that order does not matter
        PEOPLE[event["data"]["external_id"]] = peremena.get_customer(event["data"]["external_id"])["profile"]
    return Response(status=204)
