"""The engine on files: `python -m verification read | supporting | compare | verify`. No server needed.

One JSON object a line on standard output. Errors are one line on standard error and exit code 2; with several
files the others are still read.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NoReturn

from verification.evidence import Claim, FaceReading, Profile
from verification.policy import SHIPPED, Policy, for_given
from verification.reasons import PhotoKind, ReasonCode

BAD_INPUT = 2


class BadInput(Exception):
    """What was handed over cannot be worked with; the text is one plain line."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2."""
        print(f"{self.prog}: {message}; --help explains", file=sys.stderr)
        raise SystemExit(BAD_INPUT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = _Parser(prog="python -m verification", description="Read documents, compare faces, verify a claim. Prints JSON.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    today = datetime.now(UTC).date()

    read = commands.add_parser("read", help="read the document on each photo, one JSON line a photo")
    read.add_argument("documents", nargs="+", metavar="DOCUMENT")

    supporting = commands.add_parser(
        "supporting",
        help="read a Russian passport's page of earlier passports (19) or of family status (14), one JSON line a photo",
    )
    supporting.add_argument("documents", nargs="+", metavar="PAGE")

    compare = commands.add_parser("compare", help="compare the faces on a selfie and a document")
    compare.add_argument("selfie", metavar="SELFIE")
    compare.add_argument("document", metavar="DOCUMENT")
    compare.add_argument("--on-file", metavar="PHOTO", help="the face the account has already")

    verify = commands.add_parser("verify", help="weigh two photos and a claim against a policy")
    verify.add_argument("--selfie", required=True, metavar="PHOTO")
    verify.add_argument("--document", required=True, metavar="PHOTO")
    verify.add_argument("--claim", required=True, metavar="CLAIM.json", help="new details and the reason for the change")
    verify.add_argument("--profile", metavar="PROFILE.json", help="the details the account holds")
    verify.add_argument("--on-file", metavar="PHOTO", help="the face the account has already")
    verify.add_argument(
        "--policy", metavar="POLICY.json", help="thresholds; without it the shipped ones, asking only for what is given"
    )

    for command in (read, supporting, compare, verify):
        command.add_argument("--on", type=_day, default=today, metavar="YYYY-MM-DD", help="the day that counts as today")
    chosen = parser.parse_args(arguments)
    try:
        return int({"read": _read, "supporting": _read, "compare": _compare, "verify": _verify}[chosen.command](chosen))
    except BadInput as bad:
        print(f"python -m verification: {bad}", file=sys.stderr)
        return BAD_INPUT


def _read(chosen: argparse.Namespace) -> int:
    """One line a document or supporting page, in the order given; a bad file has its code in its own line."""
    from verification import documents, images
    from verification.documents import supporting

    documents.load()
    look = supporting.read_supporting if chosen.command == "supporting" else documents.read
    worst = 0
    for name in chosen.documents:
        begun = time.perf_counter()
        try:
            reading = look(images.decode(_bytes(name)), today=chosen.on)
        except images.ImageRejected as rejected:
            line: dict[str, Any] = {"file": name, "error": rejected.reason.value}
            print(f"python -m verification: {name}: {EXPLAINED[rejected.reason]}", file=sys.stderr)
            worst = BAD_INPUT
        except BadInput as bad:
            line = {"file": name, "error": "file_not_readable"}
            print(f"python -m verification: {bad}", file=sys.stderr)
            worst = BAD_INPUT
        else:
            line = {"file": name, **reading.to_json()} if len(chosen.documents) > 1 else reading.to_json()
            line["seconds"] = round(time.perf_counter() - begun, 3)
        _print(line)
    return worst


def _compare(chosen: argparse.Namespace) -> int:
    """Compare the faces of two or three photos."""
    from verification import documents, images, pipeline
    from verification.faces import compare as face_comparison

    photos = {
        PhotoKind.SELFIE: _bytes(chosen.selfie),
        PhotoKind.DOCUMENT: _bytes(chosen.document),
        **({PhotoKind.ON_FILE: _bytes(chosen.on_file)} if chosen.on_file else {}),
    }
    pipeline.load()
    begun = time.perf_counter()
    pixels = {}
    for kind, data in photos.items():
        try:
            pixels[kind] = images.decode(data)
        except images.ImageRejected as rejected:
            raise BadInput(f"{kind.value}: {EXPLAINED[rejected.reason]}") from None
    detailed = documents.read_detailed(pixels[PhotoKind.DOCUMENT], today=chosen.on)
    found = face_comparison.read_faces(
        pixels[PhotoKind.SELFIE],
        pixels[PhotoKind.DOCUMENT],
        pixels.get(PhotoKind.ON_FILE),
        portrait=detailed.reading.portrait,
        quarter_turns=detailed.quarter_turns,
    )
    _print({**_faces(found), "seconds": round(time.perf_counter() - begun, 3)})
    return 0


def _verify(chosen: argparse.Namespace) -> int:
    """Gather evidence and decide."""
    from verification import pipeline
    from verification.decision import decide

    claim = _parsed(chosen.claim, "claim", Claim.from_json)
    profile = _parsed(chosen.profile, "profile", Profile.from_json) if chosen.profile else None
    if chosen.policy:
        policy = _parsed(chosen.policy, "policy", Policy.from_json)
    else:
        policy = for_given(SHIPPED, profile=profile is not None, on_file=chosen.on_file is not None)
    if not claim.values:
        raise BadInput(f"{chosen.claim}: the claim states no new detail")
    selfie, document = _bytes(chosen.selfie), _bytes(chosen.document)
    on_file = _bytes(chosen.on_file) if chosen.on_file else None
    pipeline.load()
    begun = time.perf_counter()
    evidence = pipeline.gather_evidence(
        selfie=selfie, document=document, on_file=on_file, claim=claim, profile=profile, on=chosen.on
    )
    if on_file is not None and not evidence.measures.has_face_on_file:
        raise BadInput(f"{chosen.on_file}: this is no picture that can be read")
    decision = decide(evidence.measures, policy, attempt=1)
    _print(
        {
            "decision": decision.to_json(),
            "measures": evidence.measures.to_json(),
            "fields": {f.value: c.to_json() for f, c in evidence.comparisons.items()},
            "read": evidence.reading.to_json(),
            "compare": _faces(evidence.faces),
            "seconds": round(time.perf_counter() - begun, 3),
        }
    )
    return 0


def _faces(found: FaceReading) -> dict[str, Any]:
    """As `compare` prints it."""
    return {
        "pairs": {p.value: {"similarity": round(m.similarity, 4), "fmr": m.fmr} for p, m in found.pairs.items()},
        "problems": [p.value for p in found.problems],
    }


def _bytes(name: str) -> bytes:
    """The content of a file. Raises BadInput."""
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror or 'cannot be read'}") from None


def _parsed(name: str, what: str, build: Any) -> Any:
    """A JSON file as the thing it states. Raises BadInput."""
    try:
        data = json.loads(_bytes(name).decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise BadInput(f"{name}: this is no JSON text in UTF-8") from None
    if not isinstance(data, dict):
        raise BadInput(f"{name}: a JSON object is expected")
    try:
        return build(data)
    except ValueError as error:
        text = str(error)
        raise BadInput(f"{name}: {text if text.startswith(what) else f'{what}: {text}'}") from None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no date as YYYY-MM-DD") from None


def _print(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


EXPLAINED: dict[ReasonCode, str] = {
    ReasonCode.IMAGE_EMPTY: "the file is empty",
    ReasonCode.IMAGE_TOO_LARGE: "the file has more than 12 MB",
    ReasonCode.IMAGE_TOO_MANY_PIXELS: "the picture has more than 40 million pixels",
    ReasonCode.IMAGE_TOO_SMALL: "the picture is too small to show anything",
    ReasonCode.IMAGE_FORMAT_UNKNOWN: "this is no JPEG, PNG, WebP or HEIC picture",
    ReasonCode.IMAGE_DAMAGED: "the picture is damaged",
    ReasonCode.IMAGE_TOO_SLOW: "the picture takes too long to open",
}
"""Why a file is no picture, for people at a command line; customers read `cases.wording`."""

if __name__ == "__main__":
    raise SystemExit(main())
