"""Pages that exist outside production only: mails that were "sent" into a folder, and photos to try the demo with."""

from __future__ import annotations

import email
import re
from email.policy import default
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, render_template, send_from_directory

from cases.settings import Mode
from webapp import demo
from webapp.context import settings

NEWEST = 50
"""Mails on the page; the others stay in the folder."""

showcase = Blueprint("showcase", __name__, url_prefix="/demo")


@showcase.get("/mails")
def mails() -> Any:
    """The newest mails first, as their readers would see them."""
    files = sorted((Path(settings().data_dir) / "mail").glob("*.eml"), key=lambda f: f.stat().st_mtime, reverse=True)[:NEWEST]
    return render_template("portal/mails.html", mails=[_read(file) for file in files])


def _read(file: Path) -> dict[str, Any]:
    """Head and text of one mail; the text cut at links, so that they can be followed."""
    with file.open("rb") as stream:
        mail = email.message_from_binary_file(stream, policy=default)
    body = mail.get_body(preferencelist=("plain",))
    text = body.get_content() if body else ""
    parts = re.split(r"(https?://\S+)", text)
    return {
        "to": mail["To"],
        "subject": mail["Subject"],
        "date": mail["Date"],
        "parts": parts,
        "language": mail["Content-Language"] or "",
    }


@showcase.get("/photos/<any('passport.jpg', 'selfie.jpg'):name>")
def photo(name: str) -> Any:
    """A drawn photo to send in the demo."""
    folder = Path(settings().data_dir) / demo.PHOTOS
    if settings().mode is not Mode.DEMO or not (folder / name).exists():
        abort(404)
    return send_from_directory(folder, name, as_attachment=True)
