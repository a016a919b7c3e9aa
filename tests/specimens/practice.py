"""Make the set of practice cases that new agents answer before live ones: `python -m tests.specimens.practice --out cases/specimens`.

Papers are those of `draw`, faces those of `faces`, names and numbers invented: of nobody. What was read is the paper's truth with the
faults that the story needs; comparisons, continuity and the machine's reasons come from the real code. Scores of faces are written
by hand, since no network finds a face in a drawing. The same day gives the same pixels (with the same OpenCV and Pillow).
"""

# ruff: noqa: E501, RUF009 - one person or story a line is easier to compare than a wrapped one; poses are frozen
from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image

from tests.specimens.draw import NO_FAULTS, Faults, Person, Specimen, draw_ru_internal, draw_td3
from tests.specimens.faces import PEOPLE, Looks, Pixels, Pose, draw
from tests.specimens.people import kazakh_iin, mexican_curp, spanish_dni
from tests.specimens.photograph import shoot
from verification import quality
from verification.calibration import shipped
from verification.decision import Outcome, decide
from verification.evidence import (
    Claim,
    DocumentReading,
    DocumentType,
    FaceReading,
    Field,
    FieldReading,
    MrzReading,
    Pair,
    PairMeasures,
    Profile,
    Source,
)
from verification.pipeline import assemble
from verification.policy import SHIPPED
from verification.reasons import PhotoKind, ReasonCode

TODAY = date(2026, 6, 15)
"""The day on which every specimen case was sent."""

Fault = Literal["blurred", "glare", "cut", "finger"]
WIDE, SELFIE, ON_FILE = 840, (390, 520), (300, 380)
"""Pixels: longer side of a document photo; the others' width and height. Small: the whole set may weigh 1.5 MB."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """One case. `like` is a face of PEOPLE; `right` and all after it is the known answer."""

    paper: Person
    country: str
    like: str
    reason: str = "new_passport"
    before: dict[str, str] = field(default_factory=dict)  # what the account held that the paper does not say
    typed: dict[str, str] = field(default_factory=dict)  # what she typed that the paper does not say
    selfie_of: str = ""  # another person
    on_file_of: str = ""
    then: dict[str, Any] = field(default_factory=dict)  # looks when the paper was printed, if others
    selfie: Pose = Pose(ground=(168, 158, 146), coat=(112, 72, 66), smile=0.35, head=0.29, seed=5)
    on_file: Pose = Pose(ground=(150, 164, 160), coat=(64, 92, 84), smile=0.1, turn=0.35, light=0.5, seed=9)
    faults: Faults = NO_FAULTS
    zone: bool = True
    fault: Fault | None = None
    selfie_fault: Literal["blurred", "dark", "document"] | None = None
    scores: tuple[float | None, float | None, float | None] = (7.6, 8.3, 7.4)
    agree: bool = True  # the two networks
    problems: tuple[ReasonCode, ...] = ()
    weak: tuple[str, ...] = ()  # fields read, but not with certainty
    unread: tuple[str, ...] = ()
    misread: dict[str, str] = field(default_factory=dict)
    standing: tuple[ReasonCode, ...] = ()
    right: str
    also: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    look: str  # where the sign stands: a field, portrait, mrz, page, selfie, on_file
    sign: str = ""


def td3(
    country: str,
    surname: str,
    given: str,
    number: str,
    born: str,
    sex: Any,
    issued: str,
    until: str,
    issuer: str,
    place: str,
    **more: Any,
) -> Person:
    """A passport for travel."""
    nation = more.pop("nationality", country)
    return Person(
        surname=surname, given_names=given, document_number=number, date_of_birth=date.fromisoformat(born), sex=sex,
        nationality=nation, issued_on=date.fromisoformat(issued), expires_on=date.fromisoformat(until), issuer=issuer,
        place_of_birth=place, **more,
    )  # fmt: skip


def ru(
    surname: str, given: str, father: str, number: str, born: str, sex: Any, issued: str, code: str, issuer: str, place: str
) -> Person:
    """A Russian internal passport."""
    return Person(
        surname=surname, given_names=given, patronymic=father, document_number=number, date_of_birth=date.fromisoformat(born),
        sex=sex, nationality="RUS", issued_on=date.fromisoformat(issued), issuer_code=code, issuer=issuer, place_of_birth=place,
    )  # fmt: skip


def _kaz(
    surname: str, given: str, own: tuple[str, str], number: str, born: str, sex: Any, issued: str, until: str, serial: int
) -> Person:
    return td3("KAZ", surname, given, number, born, sex, issued, until, "MIA RK", "QOSTANAI", surname_native=own[0],
               given_names_native=own[1], personal_number=kazakh_iin(date.fromisoformat(born), sex, serial))  # fmt: skip


def stories() -> dict[str, Story]:
    """Every case by key, in the order of the set."""
    anna = td3("RUS", "OZERETSKAIA", "VALERIIA", "758316042", "1991-08-24", "F", "2026-03-12", "2036-03-12", "МВД 69004", "Г. ТВЕРЬ / RUSSIA",
               surname_native="ОЗЕРЕЦКАЯ", given_names_native="ВАЛЕРИЯ", patronymic="ПЕТРОВНА")  # fmt: skip
    igor = td3("RUS", "IAKUSHKOV", "GERMAN", "752904817", "1984-01-30", "M", "2025-11-20", "2035-11-20", "МВД 53001", "Г. ПСКОВ / RUSSIA",
               surname_native="ЯКУШКОВ", given_names_native="ГЕРМАН", patronymic="ЮРЬЕВИЧ")  # fmt: skip
    boris = ru(
        "КОРАБЛЕВСКИЙ",
        "ЕГОР",
        "ДАНИЛОВИЧ",
        "2826604917",
        "1993-05-11",
        "M",
        "2026-02-03",
        "690-008",
        "УМВД РОССИИ ПО ТВЕРСКОЙ ОБЛАСТИ",
        "Г. КИМРЫ ТВЕРСКОЙ ОБЛ.",
    )
    julia = ru(
        "ЖУРАВЛИНСКАЯ",
        "МАРТА",
        "ОЛЕГОВНА",
        "2825417380",
        "1995-10-02",
        "F",
        "2025-12-19",
        "690-011",
        "УМВД РОССИИ ПО ТВЕРСКОЙ ОБЛАСТИ",
        "Г. ВЫШНИЙ ВОЛОЧЁК ТВЕРСКОЙ ОБЛ.",
    )
    lev = ru(
        "ЧЕРНОБРОДОВ",
        "СЕМЁН",
        "ИЛЬИЧ",
        "2807319452",
        "1961-04-23",
        "M",
        "2007-05-16",
        "692-013",
        "ОВД ГОРОДА КИМРЫ ТВЕРСКОЙ ОБЛАСТИ",
        "ДЕР. БЕЛЫЙ ГОРОДОК КИМРСКОГО Р-НА",
    )
    dauren = _kaz(
        "TOLEGENULY", "SANZHAR", ("ТӨЛЕГЕНҰЛЫ", "САНЖАР"), "N15820644", "1988-12-05", "M", "2026-04-21", "2036-04-21", 417
    )
    gulnara = _kaz(
        "SERIKBAIQYZY", "AIZERE", ("СЕРІКБАЙҚЫЗЫ", "АЙЗЕРЕ"), "N15771209", "1997-03-18", "F", "2026-05-04", "2036-05-04", 233
    )
    kairat = _kaz("BEKMURATOV", "ERKIN", ("БЕКМҰРАТОВ", "ЕРКІН"), "N14903318", "1979-07-09", "M", "2025-09-15", "2035-09-15", 158)
    elena = td3(
        "ESP",
        "PEÑASCALES ORTUZAR",
        "INÉS",
        "XDC518204",
        "1990-06-14",
        "F",
        "2026-01-08",
        "2036-01-08",
        "CÁDIZ",
        "CÁDIZ",
        personal_number=spanish_dni(31820467),
    )
    hugo = td3(
        "ESP",
        "VALDEMORILLO SANTIRSO",
        "BALTASAR",
        "XDA730915",
        "1966-02-19",
        "M",
        "2017-05-30",
        "2027-05-30",
        "LUGO",
        "LUGO",
        personal_number=spanish_dni(20417733),
    )
    carla = td3(
        "MEX",
        "TLALPANECO BARRIGUETE",
        "MARISELA",
        "G51739026",
        "1992-11-27",
        "F",
        "2026-04-02",
        "2032-04-02",
        "PUEBLA",
        "PUEBLA, PUE.",
        personal_number=mexican_curp("TABM921127MPLLRR0"),
    )
    felix = td3(
        "MEX",
        "QUIRARTE ZAPOPAN",
        "ULISES",
        "G48260731",
        "1987-02-27",
        "M",
        "2025-10-10",
        "2031-10-10",
        "JALISCO",
        "ZAPOPAN, JAL.",
        personal_number=mexican_curp("QUZU870227HJCRPL0"),
    )
    utopia = td3(
        "UTO", "VANDERQUILL", "OSWIN THEO", "U41927365", "1978-09-30", "M", "2025-05-11", "2035-05-11", "UTOPIA CITY", "ZENITH"
    )
    asked = (ReasonCode.CUSTOMER_ASKED_FOR_PERSON,)
    sent = (ReasonCode.PHOTO_SENT_ANYWAY,)
    unsure = dict(scores=(5.4, 8.1, 5.6))
    other_room = Pose(ground=(132, 140, 156), coat=(58, 60, 66), smile=0.5, turn=-0.4, light=-0.6, head=0.29, seed=17)
    glasses = replace(other_room, glasses=True, smile=0.1, seed=18)
    return {
        # to be approved
        "marriage_in_order": Story(paper=anna, country="RUS", like="anna", reason="marriage", selfie=glasses, **unsure,  # type: ignore[arg-type]
            before={"surname": "LUGOVSKAIA", "document_number": "741093586"}, right="approve", look="selfie", sign="same_person_glasses"),
        "renewed_in_order": Story(paper=dauren, country="KAZ", like="dauren", selfie=other_room, before={"document_number": "N09318472"},
            scores=(7.9, 8.8, 7.2), standing=asked, right="approve", look="document_number", sign="only_the_number_is_new"),
        "older_spelling": Story(paper=igor, country="RUS", like="igor", reason="marriage", typed={"surname": "ЯКУШКОВ", "given_names": "ГЕРМАН"}, standing=asked,
            before={"surname": "ПЕРЕЛЁТОВ", "given_names": "ГЕРМАН", "document_number": "731822590"}, right="approve", look="surname", sign="spelling_rule"),
        "grown_beard": Story(paper=felix, country="MEX", like="felix", selfie=replace(glasses, grown="full", seed=23), scores=(4.4, 4.9, 8.0),
            before={"document_number": "G30917254"}, right="approve", look="selfie", sign="same_person_beard"),
        "weak_reading": Story(paper=boris, country="RUS", like="boris", weak=("document_number",), selfie=other_room,
            before={"document_number": "2814307718", "issued_on": "2013-06-20", "issuer_code": "692-014"}, right="approve", look="document_number", sign="read_it_yourself"),
        "no_zone": Story(paper=lev, country="RUS", like="lev", zone=False, weak=("surname", "document_number"), reason="new_passport",
            before={"document_number": "2805117360"}, right="approve", look="page", sign="older_kind"),
        "marks_on_letters": Story(paper=elena, country="ESP", like="elena", reason="mistake", before={"surname": "PENASCALES ORTUZAR"},
            standing=asked, selfie=other_room, right="approve", look="surname", sign="marks_on_letters"),
        "old_portrait": Story(paper=hugo, country="ESP", like="hugo", then={"hair": (70, 54, 42), "lines": False}, scores=(5.1, 8.6, 5.0),
            before={"document_number": "AAH402718"}, selfie=other_room, right="approve", look="portrait", sign="same_person_older"),
        # a photo again
        "blurred_page": Story(paper=gulnara, country="KAZ", like="gulnara", fault="blurred", problems=(ReasonCode.DOCUMENT_BLURRED, ReasonCode.MRZ_NOT_READABLE),
            before={"document_number": "N08117203"}, unread=("document_number", "expires_on", "issued_on", "personal_number"), weak=("surname", "given_names", "date_of_birth"),
            scores=(6.1, 8.4, 5.9), standing=sent, right="ask_retake", codes=("document_blurred", "mrz_not_readable"), look="page", sign="blurred_page"),
        "glare_on_zone": Story(paper=carla, country="MEX", like="carla", fault="glare", problems=(ReasonCode.DOCUMENT_GLARE, ReasonCode.MRZ_NOT_READABLE),
            before={"document_number": "G30044186"}, unread=("issued_on", "expires_on", "date_of_birth"), weak=("sex",), standing=sent, selfie=other_room,
            right="ask_retake", codes=("document_glare", "mrz_not_readable"), look="mrz", sign="glare_on_zone"),
        "zone_cut_off": Story(paper=kairat, country="KAZ", like="kairat", fault="cut", problems=(ReasonCode.DOCUMENT_CUT_OFF,), before={"document_number": "N07330915"},
            standing=sent, selfie=glasses, right="ask_retake", codes=("document_cut_off", "mrz_not_readable"), look="mrz", sign="zone_cut_off"),
        "finger_on_surname": Story(paper=julia, country="RUS", like="julia", fault="finger", reason="marriage", problems=(ReasonCode.DOCUMENT_COVERED,),
            before={"surname": "СОМОВА", "document_number": "2815204466", "issued_on": "2015-10-30"}, unread=("surname",), standing=sent,
            right="ask_retake", codes=("document_covered",), look="surname", sign="finger_on_surname"),
        "blurred_selfie": Story(paper=boris, country="RUS", like="boris", selfie_fault="blurred", problems=(ReasonCode.SELFIE_BLURRED,), scores=(3.9, 4.2, 8.2),
            before={"document_number": "2814307718"}, standing=sent, right="ask_retake", codes=("selfie_blurred",), look="selfie", sign="blurred_selfie"),
        "dark_selfie": Story(paper=elena, country="ESP", like="elena", selfie_fault="dark", reason="new_passport", problems=(ReasonCode.SELFIE_TOO_DARK,), scores=(None, None, 8.0),
            before={"document_number": "PAB229104"}, standing=sent, right="ask_retake", codes=("selfie_too_dark", "face_too_dark"), look="selfie", sign="dark_selfie"),
        "passport_as_selfie": Story(paper=gulnara, country="KAZ", like="gulnara", selfie_fault="document", problems=(ReasonCode.SELFIE_IS_A_DOCUMENT,), scores=(12.4, 8.0, 8.0),
            before={"document_number": "N08117203"}, standing=sent, right="ask_retake", also=("escalate",), codes=("selfie_is_a_document",), look="selfie", sign="passport_as_selfie"),
        # to be rejected
        "another_face": Story(paper=igor, country="RUS", like="igor", selfie_of="lev", reason="marriage", scores=(0.9, 1.2, 8.1),
            before={"surname": "PERELETOV", "document_number": "731822590"}, right="reject", also=("escalate",),
            codes=("selfie_document_faces_differ", "selfie_on_file_faces_differ"), look="selfie", sign="another_face"),
        "look_alike": Story(paper=anna, country="RUS", like="anna", selfie_of="anna_like", reason="marriage", selfie=glasses, scores=(4.6, 4.1, 8.0), agree=False,
            before={"surname": "LUGOVSKAIA", "document_number": "741093586"}, right="reject", also=("escalate",),
            codes=("selfie_document_faces_differ", "selfie_on_file_faces_differ"), look="selfie", sign="look_alike"),
        "taken_over_account": Story(paper=kairat, country="KAZ", like="kairat", on_file_of="dauren", selfie=other_room, scores=(8.4, 1.6, 1.1),
            before={"document_number": "N07330915"}, right="reject", also=("escalate",),
            codes=("selfie_on_file_faces_differ", "document_on_file_faces_differ"), look="on_file", sign="taken_over_account"),
        "relative_on_file": Story(paper=dauren, country="KAZ", like="dauren", on_file_of="dauren_like", scores=(8.2, 4.3, 4.0), agree=False,
            before={"document_number": "N09318472"}, right="reject", also=("escalate",),
            codes=("selfie_on_file_faces_differ", "document_on_file_faces_differ"), look="on_file", sign="relative_on_file"),
        "edited_surname": Story(paper=anna, country="RUS", like="anna", reason="marriage", faults=Faults(zone_only={"surname": "LUGOVSKAIA"}), problems=(ReasonCode.ZONES_DISAGREE,),
            before={"surname": "LUGOVSKAIA", "document_number": "741093586"}, right="reject", also=("escalate",), codes=("zones_disagree", "document_doubted"), look="mrz", sign="edited_surname"),
        "edited_number": Story(paper=carla, country="MEX", like="carla", faults=Faults(zone_only={"document_number": "G30044186"}), problems=(ReasonCode.ZONES_DISAGREE,), selfie=other_room,
            before={"document_number": "G30044186"}, right="reject", also=("escalate",), codes=("zones_disagree", "document_doubted"), look="mrz", sign="edited_number"),
        "wrong_check_digit": Story(paper=felix, country="MEX", like="felix", faults=Faults(wrong_check="document_number"), selfie=other_room,
            before={"document_number": "G30917254"}, right="reject", also=("escalate",), codes=("mrz_check_digit_wrong", "document_doubted"), look="mrz", sign="wrong_check_digit"),
        "expired": Story(paper=replace(hugo, issued_on=date(2016, 5, 30), expires_on=date(2026, 5, 30)), country="ESP", like="hugo", before={"document_number": "AAH402718"},
            right="reject", codes=("document_expired",), look="expires_on", sign="expired"),
        "specimen_word": Story(paper=utopia, country="UTO", like="felix", then={"beard": "none"}, faults=Faults(specimen_word=True), problems=(ReasonCode.DOCUMENT_IS_SPECIMEN,),
            before={"document_number": "U11820464"}, right="reject", also=("escalate",), codes=("document_is_specimen",), look="page", sign="specimen_word"),
        "other_birth_date": Story(paper=gulnara, country="KAZ", like="gulnara", before={"document_number": "N08117203", "date_of_birth": "1992-03-18", "personal_number": ""},
            typed={"date_of_birth": "1992-03-18"}, selfie=other_room, right="reject", also=("escalate",),
            codes=("birth_date_not_the_accounts", "date_of_birth_differs"), look="date_of_birth", sign="other_birth_date"),
        "one_letter": Story(paper=julia, country="RUS", like="julia", reason="marriage", typed={"surname": "ЖУРАВЛЕНСКАЯ"}, selfie=other_room,
            before={"surname": "СОМОВА", "document_number": "2815204466", "issued_on": "2015-10-30"}, right="reject", codes=("surname_differs",), look="surname", sign="one_letter"),
    }  # fmt: skip


# --- Pictures


def document_photo(story: Story, specimen: Specimen, seed: int) -> tuple[Pixels, dict[str, tuple[int, int, int, int]]]:
    """The customer's photo of the paper and where things lie on it."""
    defect = story.fault if story.fault in ("blurred", "glare") else None
    shot = shoot(specimen.image, seed=seed, hardness="easy", defect=defect)  # type: ignore[arg-type]
    image, places = shot.image, {name: shot.place(quad) for name, quad in specimen.quads.items()}
    if story.fault == "finger":
        image = _finger(image, places[story.look])
    page = places["page"]
    low, high = page.min(axis=0), page.max(axis=0)
    room = 0.03 * (high - low).max()
    left, top = max(0, int(low[0] - room)), max(0, int(low[1] - room))
    right, bottom = min(image.shape[1], int(high[0] + room)), min(image.shape[0], int(high[1] + room))
    if story.fault == "cut":
        bottom = int(places["mrz_0"][:, 1].max() + 4)
    image = image[top:bottom, left:right]
    scale = WIDE / max(image.shape[:2])
    image = cv2.resize(cv2.bilateralFilter(image, 5, 18, 5), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes = {}
    for name, quad in places.items():
        a, b = (quad.min(axis=0) - (left, top)) * scale, (quad.max(axis=0) - (left, top)) * scale
        x, y = max(0, round(float(a[0]))), max(0, round(float(a[1])))
        w, h = min(image.shape[1], round(float(b[0]))) - x, min(image.shape[0], round(float(b[1]))) - y
        if w > 3 and h > 3:
            boxes[name] = (x, y, w, h)
    return np.asarray(image, np.uint8), boxes


def _finger(image: Pixels, quad: Any) -> Pixels:
    """A drawn thumb that comes from the nearer side and lies over `quad`."""
    middle, out = quad.mean(axis=0), image.astype(np.float32)
    reach = np.ptp(quad, axis=0)
    mask = np.zeros(image.shape[:2], np.float32)
    tip = (float(middle[0]) - 0.25 * float(reach[0]), float(middle[1]))
    end = (float(image.shape[1]) + 60, float(middle[1]) - 90)
    thick = int(max(reach[1] * 3.2, image.shape[1] * 0.09))
    cv2.line(mask, (int(tip[0]), int(tip[1])), (int(end[0]), int(end[1])), 1.0, thick, cv2.LINE_AA)
    soft = cv2.GaussianBlur(mask, (0, 0), 5)[..., None]
    shade = cv2.GaussianBlur(mask, (0, 0), thick / 5)[..., None]
    skin = np.array([214, 166, 140], np.float32) * (0.78 + 0.28 * shade)
    out = out * (1 - 0.35 * cv2.GaussianBlur(np.roll(mask, (14, 10), (0, 1)), (0, 0), 14)[..., None])
    return np.clip(out * (1 - soft) + skin * soft, 0, 255).astype(np.uint8)


def selfie_photo(story: Story, document: Pixels, boxes: dict[str, tuple[int, int, int, int]]) -> Pixels:
    """The customer's selfie, or what she sent as one."""
    wide, tall = SELFIE
    if story.selfie_fault == "document":
        x, y, w, h = boxes["portrait"]
        cut = document[max(0, y - 60) : y + int(h * 1.25), max(0, x - 20) : x + int(w * 1.9)]
        canvas = np.full((tall, wide, 3), (96, 84, 74), np.uint8)
        scale = wide / cut.shape[1]
        laid = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)[:tall]
        top = (tall - laid.shape[0]) // 2
        canvas[top : top + laid.shape[0]] = laid
        return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 0.8), np.uint8)
    picture = draw(PEOPLE[story.selfie_of or story.like], story.selfie, wide, tall)
    if story.selfie_fault == "blurred":
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), 11), np.uint8)
    if story.selfie_fault == "dark":
        return np.asarray(np.clip(picture.astype(np.float32) * 0.06, 0, 255), np.uint8)
    return picture


def printed_face(story: Story) -> Pixels:
    """The portrait as it goes on the paper."""
    looks: Looks = replace(PEOPLE[story.like], **story.then)
    return draw(looks, Pose(ground=(222, 226, 230), head=0.30, seed=2), 560, 720)


# --- Facts


def facts(key: str, story: Story, seed: int) -> tuple[dict[str, Any], dict[str, Pixels]]:
    """One line of the truth file, and the three pictures."""
    face = printed_face(story)
    internal = story.paper.expires_on is None
    specimen = (
        draw_ru_internal(story.paper, face, zone=story.zone, faults=story.faults)
        if internal
        else draw_td3(story.paper, face, country=story.country, faults=story.faults)
    )
    document, boxes = document_photo(story, specimen, seed)
    pictures = {
        "document": document,
        "selfie": selfie_photo(story, document, boxes),
        "on_file": draw(PEOPLE[story.on_file_of or story.like], story.on_file, *ON_FILE),
    }
    paper = story.paper.values()
    known = ("surname", "given_names", "patronymic", "date_of_birth", "sex", "nationality", "document_number", "personal_number")
    stated = (
        "surname",
        "given_names",
        "patronymic",
        "document_number",
        "date_of_birth",
        "sex",
        "issued_on",
        "expires_on",
        "issuer_code",
    )
    if story.paper.surname_native is not None:
        paper.pop("patronymic", None)  # a Latin account has none
    account = {**{name: paper[name] for name in known if name in paper}, **story.before}
    if internal:
        account.setdefault("issued_on", "2011-09-14")
    claim = Claim.from_json({"reason": story.reason, **{n: paper[n] for n in stated if n in paper}, **story.typed})
    profile = Profile.from_json({**{k: v for k, v in account.items() if v}, "earlier_numbers": []})
    reading = _reading(story, specimen, boxes)
    pairs = {}
    held = shipped()
    for pair, score in zip(Pair, story.scores, strict=True):
        if score is not None:
            pairs[pair] = PairMeasures(
                similarity=score, fmr=held.fmr(pair, score), sface=round(0.05 + score * 0.065, 3), dlib=round(0.30 + score * 0.03, 3),
                voices_agree=story.agree or score > 6.7,
            )  # fmt: skip
    measured = {kind: quality.measure(pictures[kind.value], kind) for kind in (PhotoKind.SELFIE, PhotoKind.DOCUMENT)}
    evidence = assemble(
        reading=reading,
        found=FaceReading(pairs=pairs, boxes=_face_boxes(story, boxes["portrait"])),
        claim=claim,
        profile=profile,
        on=TODAY,
        selfie=measured[PhotoKind.SELFIE],
        document=measured[PhotoKind.DOCUMENT],
        picture_problems=story.problems,
        undecodable=(),
        has_face_on_file=True,
        engines=(held.label, "drawn specimen"),
    )
    decision = decide(evidence.measures, SHIPPED, attempt=SHIPPED.max_attempts, standing=story.standing)
    assert decision.outcome is Outcome.REFER, (key, decision)
    look = _look(story, boxes)
    line = {
        "key": key,
        "country": story.country,
        "profile": profile.to_json(),
        "claim": claim.to_json(),
        "reading": {
            **evidence.reading.to_json(),
            "boxes": {n.value: list(r.box) for n, r in evidence.reading.fields.items() if r.box},
        },
        "comparisons": {n.value: c.to_json() for n, c in evidence.comparisons.items()},
        "measures": evidence.measures.to_json(),
        "faces": {kind: list(box) for kind, box in evidence.faces.boxes.items()},
        "reasons": [r.value for r in decision.reasons],
        "right": story.right,
        "also": list(story.also),
        "codes": list(story.codes),
        "retake": ["selfie" if story.look == "selfie" else "document"] if story.right == "ask_retake" else [],
        "sign": story.sign,
        "look": look,
        "sizes": {kind: [p.shape[1], p.shape[0]] for kind, p in pictures.items()},
    }
    return line, pictures


def _face_boxes(story: Story, portrait: tuple[int, int, int, int]) -> dict[str, tuple[int, int, int, int]]:
    """Where the heads are on the three pictures, from how `faces.draw` places them."""

    def head(wide: float, tall: float, share: float) -> tuple[int, int, int, int]:
        h, w = 2 * share * tall, 2 * share * tall * 0.74
        return round((wide - w) / 2), round(0.46 * tall - h / 2), round(w), round(h)

    x, y, w, h = portrait
    on_paper = head(w, h, 0.30 * 720 / 560 * w / h)
    found = {
        "document": (x + on_paper[0], y + on_paper[1], on_paper[2], on_paper[3]),
        "on_file": head(*ON_FILE, story.on_file.head),
    }
    if story.selfie_fault is None:
        found["selfie"] = head(*SELFIE, story.selfie.head)
    return found


def _reading(story: Story, specimen: Specimen, boxes: dict[str, tuple[int, int, int, int]]) -> DocumentReading:
    truth = specimen.truth
    zone = truth["mrz"] is not None and ReasonCode.MRZ_NOT_READABLE not in story.problems and story.fault != "cut"
    found = {}
    for name, item in truth["fields"].items():
        if name in story.unread:
            continue
        source = item["source"]
        if not zone:
            if source == "mrz":
                continue
            source = "viz"
        sure = name not in story.weak and source != "viz"
        found[Field(name)] = FieldReading(
            value=story.misread.get(name, item["value"]),
            confidence=0.99 if sure else 0.71 if name in story.weak else 0.93,
            certain=sure or (name not in story.weak and story.fault is None),
            source=Source(source),
            box=boxes.get(name),
        )
    mrz = truth["mrz"]
    return DocumentReading(
        document_type=DocumentType(truth["document_type"]),
        country=truth["country"],
        mrz=MrzReading(lines=tuple(mrz["lines"]), valid=mrz["valid"], checks=mrz["checks"]) if zone and mrz else None,
        fields=found,
        portrait=boxes["portrait"],
    )


def _look(story: Story, boxes: dict[str, tuple[int, int, int, int]]) -> dict[str, Any]:
    """On which picture the sign stands, and where on it; a field also names its row of the table."""
    if story.look in ("selfie", "on_file"):
        return {"photo": story.look, "box": None, "field": None}
    if story.look == "mrz":
        parts = [boxes[n] for n in ("mrz_0", "mrz_1") if n in boxes]
        x, y = min(b[0] for b in parts), min(b[1] for b in parts)
        w, h = max(b[0] + b[2] for b in parts) - x, max(b[1] + b[3] for b in parts) - y
        return {"photo": "document", "box": [x, y, w, h], "field": None}
    box = boxes.get("page" if story.look == "page" else story.look)
    return {
        "photo": "document",
        "box": list(box) if box else None,
        "field": story.look if story.look in {f.value for f in Field} else None,
    }


def _jpeg(pixels: Pixels, quality: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write photos and the truth file."""
    parser = argparse.ArgumentParser(prog="python -m tests.specimens.practice", description="The practice set, drawn.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only", nargs="+", metavar="KEY")
    given = parser.parse_args(arguments)
    folder = given.out / "photos"
    folder.mkdir(parents=True, exist_ok=True)
    lines, weight = [], 0
    for seed, (key, story) in enumerate(stories().items(), start=1):
        if given.only and key not in given.only:
            continue
        line, pictures = facts(key, story, seed)
        for kind, pixels in pictures.items():
            data = _jpeg(pixels, {"document": 44, "selfie": 58, "on_file": 58}[kind])
            (folder / f"{key}.{kind}.jpg").write_bytes(data)
            weight += len(data)
        lines.append(line)
        print(f"{key:20} {line['right']:10} {', '.join(line['reasons'])}")
    if not given.only:
        text = json.dumps({"today": TODAY.isoformat(), "specimens": lines}, ensure_ascii=False, indent=1)
        (given.out / "specimens.json").write_text(text + "\n", encoding="utf-8")
    print(f"{len(lines)} cases, photos of {weight / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
