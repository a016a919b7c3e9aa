"""`python -m verification` as a person uses it: real processes, real files, drawn people of nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.specimens import people
from tests.specimens.people import Persona
from verification import images
from verification.evidence import Field

pytestmark = [pytest.mark.engines, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
TODAY = datetime.now(UTC).date()
PEOPLE = people.personas(TODAY)

READ_KEYS = {"document_type", "country", "mrz", "fields", "portrait", "problems", "hidden", "missing", "hints", "seconds"}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """One command, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "verification", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def lay_out(who: Persona, folder: Path) -> Path:
    """The persona's files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in (("selfie", who.selfie_photo()), ("document", who.document_photo()), ("on_file", who.on_file_photo())):
        (folder / f"{name}.jpg").write_bytes(images.encode_jpeg(picture))
    (folder / "claim.json").write_text(json.dumps(who.claim, ensure_ascii=False))
    (folder / "profile.json").write_text(json.dumps(who.profile, ensure_ascii=False))
    return folder


@pytest.fixture(scope="module")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield lay_out(PEOPLE["approve_marriage"], tmp_path_factory.mktemp("genuine"))


def verify(folder: Path, *more: object) -> dict[str, Any]:
    """`verify` with everything that lies in the folder."""
    done = run(
        "verify", "--selfie", folder / "selfie.jpg", "--document", folder / "document.jpg", "--claim", folder / "claim.json",
        "--profile", folder / "profile.json", "--on-file", folder / "on_file.jpg", *more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_several_documents_are_read_in_order_and_a_bad_one_has_its_code_in_its_line(genuine: Path, tmp_path: Path) -> None:
    cat = tmp_path / "cat.txt"
    cat.write_text("meow")
    done = run("read", genuine / "document.jpg", cat, tmp_path / "nothing.jpg", genuine / "selfie.jpg")
    assert done.returncode == 2
    first, bad, missing, selfie = map(json.loads, done.stdout.splitlines())
    assert set(first) >= READ_KEYS
    assert [line["file"] for line in (first, bad, missing, selfie)] == [
        str(p) for p in (genuine / "document.jpg", cat, tmp_path / "nothing.jpg", genuine / "selfie.jpg")
    ]
    assert bad["error"] == "image_format_unknown" and missing["error"] == "file_not_readable"
    assert len(done.stderr.splitlines()) == 2 and "Traceback" not in done.stderr
    truth = PEOPLE["approve_marriage"].draw().truth
    assert first["document_type"] == "TD3" and first["country"] == truth["country"]
    assert first["mrz"]["lines"] == truth["mrz"]["lines"] and first["mrz"]["valid"] is True
    for name, reading in first["fields"].items():
        assert set(reading) == {"value", "confidence", "certain", "source"}
        if reading["certain"]:
            assert (
                reading["value"] == truth["fields"][name]["value"]
                if isinstance(truth["fields"][name], dict)
                else truth["fields"][name]
            )
    assert {"surname", "given_names", "document_number", "date_of_birth", "expires_on", "sex"} <= set(first["fields"])
    assert selfie["document_type"] is None and selfie["fields"] == {} and "no_document_found" in selfie["problems"]


def test_one_document_is_one_line_and_exit_code_0(genuine: Path) -> None:
    done = run("read", genuine / "document.jpg")
    assert done.returncode == 0 and done.stderr == ""
    assert set(json.loads(done.stdout)) == READ_KEYS


def test_faces_of_one_man_and_of_two(genuine: Path, tmp_path: Path) -> None:
    done = run("compare", genuine / "selfie.jpg", genuine / "document.jpg", "--on-file", genuine / "on_file.jpg")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"pairs", "problems", "seconds"}
    assert set(answer["pairs"]) == {"selfie_document", "selfie_on_file", "document_on_file"}
    assert all(0 < pair["fmr"] <= 1e-4 for pair in answer["pairs"].values())
    stranger = lay_out(PEOPLE["refer_impostor"], tmp_path)
    other = json.loads(run("compare", stranger / "selfie.jpg", stranger / "document.jpg").stdout)
    assert other["pairs"]["selfie_document"]["fmr"] > 0.01
    assert other["pairs"]["selfie_document"]["similarity"] < answer["pairs"]["selfie_document"]["similarity"] - 5


def test_a_genuine_pair_with_the_right_claim_is_approved_with_and_without_the_account(genuine: Path) -> None:
    answer = verify(genuine)
    assert set(answer) == {"decision", "measures", "fields", "read", "compare", "seconds"}
    assert answer["decision"] == {"outcome": "approve", "reasons": [], "retake": [], "policy_version": 1}
    assert all(field["agreement"] == 1.0 for field in answer["fields"].values())
    bare = run(
        "verify", "--selfie", genuine / "selfie.jpg", "--document", genuine / "document.jpg", "--claim", genuine / "claim.json"
    )
    assert json.loads(bare.stdout)["decision"]["outcome"] == "approve", bare.stderr


def test_the_shipped_policy_in_a_file_asks_for_the_account_too(genuine: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text("{}")
    done = run(
        "verify", "--selfie", genuine / "selfie.jpg", "--document", genuine / "document.jpg",
        "--claim", genuine / "claim.json", "--policy", policy,
    )  # fmt: skip
    decision = json.loads(done.stdout)["decision"]
    assert decision["outcome"] == "refer" and set(decision["reasons"]) == {"continuity_unknown", "no_face_on_file"}


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("refer_impostor", "selfie_document_faces_differ"),
        ("refer_thief", "document_on_file_faces_differ"),
        ("refer_one_letter", "surname_differs"),
        ("refer_expired", "document_expired"),
    ],
)
def test_what_must_reach_a_person_does_with_its_reason(key: str, reason: str, tmp_path: Path) -> None:
    answer = verify(lay_out(PEOPLE[key], tmp_path))
    assert answer["decision"]["outcome"] == "refer"
    assert reason in answer["decision"]["reasons"]


def test_the_letter_that_differs_is_named(tmp_path: Path) -> None:
    answer = verify(lay_out(PEOPLE["refer_one_letter"], tmp_path))
    (difference,) = answer["fields"]["surname"]["differences"]
    assert len(difference["claimed"]) == len(difference["read"]) == 1
    assert answer["fields"]["surname"]["agreement"] < 1.0


def test_somebody_elses_account_is_not_changed(genuine: Path, tmp_path: Path) -> None:
    who = PEOPLE["approve_marriage"]
    other = replace(who, profile={**who.profile, Field.DATE_OF_BIRTH.value: "1970-01-01"})
    answer = verify(lay_out(other, tmp_path))
    assert answer["decision"]["outcome"] == "refer"
    assert "birth_date_not_the_accounts" in answer["decision"]["reasons"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required"),
        (["read"], "required"),
        (["read", "--on", "yesterday", "x.jpg"], "YYYY-MM-DD"),
        (["compare", "nothing.jpg", "nothing.jpg"], "nothing.jpg"),
        (["verify", "--selfie", "a", "--document", "b", "--claim", "nothing.json"], "nothing.json"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and said in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        ("{}", "reason"),
        ('{"reason": "marriage"}', "no new detail"),
        ('{"reason": "marriage", "surnam": "X"}', "surnam"),
        ('{"reason": "marriage", "date_of_birth": "1.2.1990"}', "date_of_birth"),
    ],
)
def test_a_claim_that_cannot_be_read_says_why(genuine: Path, tmp_path: Path, text: str, said: str) -> None:
    claim = tmp_path / "claim.json"
    claim.write_text(text)
    done = run("verify", "--selfie", genuine / "selfie.jpg", "--document", genuine / "document.jpg", "--claim", claim)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and said in done.stderr
