"""The audit trail: searching it, walking its chain, and taking a signed copy of a part of it away."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import replace
from datetime import timedelta
from typing import IO, Any, cast

from flask import Response, render_template, request, send_file
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal
from flask_babel import gettext as _

from cases import audit, audit_export
from cases.settings import Mode
from webapp.context import database, now, settings
from webapp.ops import search
from webapp.ops.surface import ops
from webapp.security import needs, row

MOST = 100_000
"""Events in one export from the page, about 30 MB and ten seconds; `flask audit export` writes any number."""

IN_MEMORY = 4_000_000
"""Bytes of an export that are kept in memory; what is larger goes through a temporary file without a name."""


@ops.get("/audit")
@needs("search_audit")
def audit_page() -> ResponseReturnValue:
    """Search the trail by case, account, kind, person and time."""
    wanted, problems = search.read(request.args)
    return _page(wanted, problems)


@ops.post("/audit/verify")
@needs("verify_audit")
def audit_verify() -> ResponseReturnValue:
    """Walk the whole chain and say whether it is whole. In production a missing file of anchors is a finding."""
    anchors = settings().data_dir / "anchors"
    anchored = settings().mode is Mode.PRODUCTION or (anchors / audit.ANCHOR_FILE).exists()
    with database().reading() as db:
        verdict = audit.verify(db, anchors=anchors if anchored else None)
    with database().transaction() as db:
        audit.record(
            db,
            "audit_verified",
            actor=audit.Actor.staff(row(db)),
            now=now(),
            ok=verdict.ok,
            count=verdict.count,
            broken_at=verdict.broken_at,
        )
    wanted, _problems = search.read(request.args)
    return _page(wanted, {}, verdict=verdict, anchored=anchored), 200 if verdict.ok else 409


@ops.post("/audit/export")
@needs("export_audit")
def audit_export_file() -> ResponseReturnValue:
    """Give the trail of some days as CSV with statement, signature and public key, in one ZIP. Recorded before it is given."""
    wanted, problems = search.read(request.form)
    if not problems and not (wanted.since and wanted.until):
        problems["export"] = _("Please give the first and the last day of the export.")
    if not problems and wanted.since and wanted.until and wanted.since > wanted.until:
        problems["export"] = _("The last day comes before the first.")
    if problems or wanted.since is None or wanted.until is None:
        return _page(wanted, problems), 422
    since, until = search.midnight(wanted.since), search.midnight(wanted.until) + timedelta(days=1)
    moment = now()
    until = min(until, moment) if since < moment else until  # what happens while it is written is not in it
    with database().reading() as db:
        number = audit_export.count(db, since=since, until=until)
    if number > MOST:
        told = {"count": format_decimal(number), "most": format_decimal(MOST)}
        problems["export"] = _(
            "These days hold %(count)s events; this page exports up to %(most)s. "
            "For more there is the command flask audit export.",
            **told,
        )
        return _page(wanted, problems), 422
    name = f"audit-{wanted.since}-{wanted.until}.csv"
    out = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - Flask closes it with the answer
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as pack, database().reading() as db:
        with pack.open(name, "w", force_zip64=True) as file:
            export = audit_export.write(db, cast(Any, file), since=since, until=until, now=moment)
        pack.writestr(name + audit_export.STATEMENT, export.statement)
        pack.writestr(name + audit_export.SIGNATURE, export.signature)
    with database().transaction() as db:
        audit_export.note(db, export, actor=audit.Actor.staff(row(db)), since=since, until=until, now=now())
    out.seek(0)
    return send_file(
        cast(IO[bytes], out), mimetype="application/zip", as_attachment=True, download_name=name.replace(".csv", ".zip")
    )


@ops.get("/audit/key.pem")
@needs("search_audit")
def audit_key() -> ResponseReturnValue:
    """The public key that exports are checked with."""
    with database().reading() as db:
        text = audit_export.pem(audit_export.public_key(db))
    answer = Response(text, mimetype="application/x-pem-file")
    answer.headers["Content-Disposition"] = 'attachment; filename="peremena-audit.pem"'
    return answer


def _page(
    wanted: search.Wanted, problems: dict[str, str], *, verdict: audit.Verdict | None = None, anchored: bool = False
) -> str:
    with database().reading() as db:
        found = search.find(db, wanted) if not problems else search.Found(rows=[], more=False)
        people = search.people(db)
        key = audit_export.fingerprint(audit_export.public_key(db))
    return render_template(
        "ops/audit.html",
        wanted=replace(wanted, before=None),
        problems=problems,
        found=found,
        people=people,
        actors=actors(),
        why_said=why_said,
        kinds=sorted(audit.KINDS),
        verdict=verdict,
        anchored=anchored,
        anchors=audit.anchored(settings().data_dir / "anchors"),
        key=key,
    )


def actors() -> dict[str, str]:
    """Who acted, where it was no member of staff, as a line of the trail names them."""
    return {
        "customer": _("a customer"),
        "machine": _("the machine"),
        "system": _("the system"),
        "host": _("the host system"),
    }


def why_said(why: str) -> str:
    """What `audit.verify` found, in the reader's language; the number in it stays."""
    number = "".join(letter for letter in why if letter.isdigit())
    return {
        "the event is missing": _("the event is missing"),
        "it does not follow the event before": _("it does not follow the event before"),
        "it was changed": _("it was changed"),
        "it is not the event that was anchored": _("it is not the event that was anchored"),
        f"events up to {number} were anchored and are missing": _(
            "events up to %(number)s were anchored and are missing", number=number
        ),
        "the anchor file is missing": _("the anchor file is missing"),
        f"line {number} of the anchor file was changed": _("line %(number)s of the anchor file was changed", number=number),
        f"line {number} of the anchor file contradicts an earlier one": _(
            "line %(number)s of the anchor file contradicts an earlier one", number=number
        ),
    }.get(why, why)
