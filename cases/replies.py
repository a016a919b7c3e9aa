"""Saved replies: words that agents send to customers again and again, in every language, with a few variables.

A reply goes with a purpose (asking for a photo again, a refusal, a message) and often with a reason. What is shipped stands
here and is translated by the catalogues; what seniors and leads write stands in `reply_versions`, version by version. A
reply is of nobody: variables come from a fixed list and stand for what the customer sees anyway, never for her data.

How often a text was used, and how often the same customer failed again after it, is told by `figures`:

- *used*: answers and messages that carried it in the last WINDOW, those taken back left out;
- *came back*: of these, the ones after which the same customer sent, appealed or asked for a person within FOLLOW_UP;
- *failed again*: of those that came back, the ones after which, within FOLLOW_UP, she was asked for a photo again or
  refused, by the machine or by a person, in this or another request of hers. A photo that the page itself refuses before
  sending does not count: she mends that at once.
- *follow-up failure rate*: failed again ÷ came back; shown from ENOUGH on, since below it says nothing of a text.

A text whose rate is high does not tell people what to do. What was never used has no rate, and none is better than 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from babel.dates import format_date
from sqlalchemy import ColumnElement, Select, and_, exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cases import audit, conversations, intake, profiles, wording
from cases import staff as people
from cases.crypto import KeyDestroyed
from cases.desk_tables import Answer, AnswerState, ReplyUse, ReplyVersion
from cases.models import Case, Customer, Disposition, Event, ProfileVersion, Run, Staff
from cases.wording import LANGUAGES, N_
from verification.evidence import Field
from verification.reasons import PhotoKind, ReasonCode

PURPOSES = ("ask_retake", "reject", "message")
"""What a reply goes with: two answers of an agent, and her messages."""

MOST_LETTERS = 1000
"""Of a reply in one language: half of what a message may have, so that an agent can add a sentence of her own."""

MOST_REPLIES = 300
"""That are offered at once; more nobody would read."""

WINDOW = timedelta(days=90)
"""Uses that figures look back on: long enough for a rare reason, short enough that a changed text shows."""

FOLLOW_UP = timedelta(days=30)
"""What happens later is not laid to a text: as long as a request and its photos live by default."""

ENOUGH = 10
"""Customers who came back, from which on a rate is shown."""

VARIABLES: dict[str, str] = {
    "photo": N_("the photos that are asked for"),
    "deadline": N_("the last day for sending them"),
    "hours": N_("hours within which a person answers"),
    "appeal": N_("the last day for asking for another person"),
    "details": N_("names of the details that the request changes, never their values"),
}
"""Every variable and what it stands for. All of it is something the customer sees on her pages anyway."""

FOR: dict[str, frozenset[str]] = {
    "ask_retake": frozenset({"photo", "deadline"}),
    "reject": frozenset({"appeal", "details"}),
    "message": frozenset({"hours", "details"}),
}
"""Which variables mean something for which purpose."""

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_BRACES = re.compile(r"[{}]")
_PERSONAL = re.compile(r"\S+@\S+|\d(?:[ .\-/]?\d){5,}")
"""An address, or a number of six digits and more: dates, documents, telephones. Neither belongs in a text for everybody."""


class Stale(Exception):
    """Somebody else saved another version in the meantime."""


class NoSuchReply(Exception):
    """No reply has this code."""


class Wrong(Exception):
    """A reply cannot be saved so. `problems` says by field (name, purpose, reason or a language) which code applies:

    missing, too_long, unknown_variable, braces, personal, gives_away, too_many.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(f"the reply is wrong: {', '.join(f'{k} {v}' for k, v in problems.items())}")
        self.problems = dict(problems)


class Unfilled(Exception):
    """The text names a variable that means nothing here. `name` is what stands between the braces."""

    def __init__(self, name: str) -> None:
        super().__init__("a variable means nothing here")
        self.name = name


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A reply as one version has it; number 0 is what is shipped."""

    code: str
    number: int
    purpose: str
    reason: ReasonCode | None
    name: str  # empty: it is called by its reason
    texts: Mapping[str, str]  # by language, variables in braces
    retired: bool = False
    author: str = ""  # name of the member of staff; empty: shipped
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What became of a text in WINDOW; definitions stand above."""

    used: int = 0
    changed: int = 0  # of `used`: the agent changed the words first
    came_back: int = 0
    failed_again: int = 0

    @property
    def rate(self) -> float | None:
        """Follow-up failure rate, 0-1; None below ENOUGH."""
        return self.failed_again / self.came_back if self.came_back >= ENOUGH else None


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A reply that comes with the system; sentences are translated one by one."""

    purpose: str
    reason: ReasonCode | None
    sentences: tuple[str, ...]
    name: str = ""


_LAST_DAY = N_("Last day for the new photo: {deadline}")
_LAST_APPEAL = N_("Last day to ask for another person: {appeal}")

SHIPPED: dict[str, Shipped] = {
    "retake.document_blurred": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.DOCUMENT_BLURRED,
        sentences=(
            N_("Lay the passport on a table, rest your elbows beside it and wait until the letters are sharp."),
            _LAST_DAY,
        ),
    ),
    "retake.document_glare": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.DOCUMENT_GLARE,
        sentences=(
            N_("Switch the flash off and lay the passport beside a window, not under a lamp. Tilt it until no line shines."),
            _LAST_DAY,
        ),
    ),
    "retake.document_too_dark": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.DOCUMENT_TOO_DARK,
        sentences=(N_("By day and near a window it works best, without your own shadow on the page."), _LAST_DAY),
    ),
    "retake.document_cut_off": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.DOCUMENT_CUT_OFF,
        sentences=(
            N_("Please show the whole page with its four corners, also the lines of letters and arrows at its edge."),
            _LAST_DAY,
        ),
    ),
    "retake.document_covered": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.DOCUMENT_COVERED,
        sentences=(N_("Take the passport out of its cover and hold the page by its outer edge only."), _LAST_DAY),
    ),
    "retake.mrz_not_readable": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.MRZ_NOT_READABLE,
        sentences=(
            N_("We could not read the lines of letters and arrows. They should lie flat, without a shadow or a finger on them."),
            _LAST_DAY,
        ),
    ),
    "retake.no_document_found": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.NO_DOCUMENT_FOUND,
        sentences=(
            N_("We need the page with your portrait, your name and your date of birth; the cover is not needed."),
            _LAST_DAY,
        ),
    ),
    "retake.selfie_blurred": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.SELFIE_BLURRED,
        sentences=(
            N_("Wipe the lens, lean the phone against something and look into the camera until the photo is taken."),
            _LAST_DAY,
        ),
    ),
    "retake.selfie_too_dark": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.SELFIE_TOO_DARK,
        sentences=(
            N_("Stand so that a window is before you, not behind you. A lamp on the ceiling alone is not enough."),
            _LAST_DAY,
        ),
    ),
    "retake.eyes_not_seen": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.EYES_NOT_SEEN,
        sentences=(N_("Please take glasses off for this one photo, also those you wear every day."), _LAST_DAY),
    ),
    "retake.selfie_is_a_document": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.SELFIE_IS_A_DOCUMENT,
        sentences=(
            N_("The photo of your passport is here already. Now we need one of yourself, taken with the front camera."),
            _LAST_DAY,
        ),
    ),
    "retake.document_too_bright": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.DOCUMENT_TOO_BRIGHT,
        sentences=(
            N_("Please switch the flash off and photograph the page in the shade: no part of it should turn white."),
            _LAST_DAY,
        ),
    ),
    "retake.document_too_small": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.DOCUMENT_TOO_SMALL,
        sentences=(
            N_("Please come closer until the page fills the frame from edge to edge, and do not zoom with your fingers."),
            _LAST_DAY,
        ),
    ),
    "retake.document_not_known": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.DOCUMENT_NOT_KNOWN,
        sentences=(
            N_("Please send the page of your passport or identity card with portrait, name and date of birth."),
            N_("Other papers can be added later."),
            _LAST_DAY,
        ),
    ),
    "retake.several_documents": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.SEVERAL_DOCUMENTS,
        sentences=(
            N_("Please lay only the document that we shall look at on the table, and put every other paper aside."),
            _LAST_DAY,
        ),
    ),
    "retake.document_mirrored": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.DOCUMENT_MIRRORED,
        sentences=(
            N_("Please use the camera on the back of the phone: the front one turns letters round like a mirror."),
            _LAST_DAY,
        ),
    ),
    "retake.portrait_not_found": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.PORTRAIT_NOT_FOUND,
        sentences=(
            N_("Please show the page on which your portrait is printed, without a finger, a flap or a reflection on it."),
            _LAST_DAY,
        ),
    ),
    "retake.selfie_too_bright": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.SELFIE_TOO_BRIGHT,
        sentences=(
            N_("Please step out of the direct sun or the beam of a lamp into even light, and switch the flash off."),
            _LAST_DAY,
        ),
    ),
    "retake.selfie_upside_down": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.SELFIE_UPSIDE_DOWN,
        sentences=(
            N_("Please hold the phone upright, with the camera at the top, and do not turn the picture afterwards."),
            _LAST_DAY,
        ),
    ),
    "retake.no_face_in_selfie": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.NO_FACE_IN_SELFIE,
        sentences=(
            N_("Please hold the phone at eye level, with your whole face, from hair to chin, in the middle of the picture."),
            _LAST_DAY,
        ),
    ),
    "retake.several_faces_in_selfie": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.SEVERAL_FACES_IN_SELFIE,
        sentences=(
            N_("Please take the photo alone, before a plain wall: pictures and mirrors behind you may show a second face."),
            _LAST_DAY,
        ),
    ),
    "retake.face_too_small": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.FACE_TOO_SMALL,
        sentences=(
            N_("Please come closer: hold the phone at half an arm's length, so that your face fills most of the frame."),
            _LAST_DAY,
        ),
    ),
    "retake.face_turned_away": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.FACE_TURNED_AWAY,
        sentences=(
            N_("Please look straight into the camera: both cheeks should be seen equally."),
            _LAST_DAY,
        ),
    ),
    "retake.face_too_dark": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.FACE_TOO_DARK,
        sentences=(
            N_("Please turn your face to a window or lamp, and push a brim or hood back from your forehead: it casts a shadow."),
            _LAST_DAY,
        ),
    ),
    "retake.face_unevenly_lit": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.FACE_UNEVENLY_LIT,
        sentences=(
            N_("Please face the window instead of standing beside it, so that both halves of your face get the same light."),
            _LAST_DAY,
        ),
    ),
    "retake.face_without_colour": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.FACE_WITHOUT_COLOUR,
        sentences=(
            N_("Please take the photo in colour and by daylight: switch off black-and-white filters and camera effects."),
            _LAST_DAY,
        ),
    ),
    "retake.face_covered": Shipped(
        purpose="ask_retake",
        reason=ReasonCode.FACE_COVERED,
        sentences=(
            N_("For this one photo mouth and nose have to be seen: please take a mask or scarf off them."),
            N_("A head covering may stay on."),
            _LAST_DAY,
        ),
    ),
    "reject.typed_differs": Shipped(
        purpose="reject",
        reason=ReasonCode.SURNAME_DIFFERS,
        sentences=(
            N_("Please type your details exactly as they stand in your passport, letter by letter, and send a new request."),
            N_("If the passport still shows an earlier name, renew the passport first."),
        ),
    ),
    "reject.document_expired": Shipped(
        purpose="reject",
        reason=ReasonCode.DOCUMENT_EXPIRED,
        sentences=(N_("With a document that is valid you can send a new request at any time; it takes a few minutes."),),
    ),
    "reject.not_confirmed": Shipped(
        purpose="reject",
        reason=None,
        name=N_("Could not be confirmed"),
        sentences=(N_("With what you sent we could not confirm the change, and so your account stays as it was."), _LAST_APPEAL),
    ),
    "reject.another_paper": Shipped(
        purpose="reject",
        reason=None,
        name=N_("Another paper would help"),
        sentences=(
            N_("A document that shows the new details would help, such as a new passport. With it please send a new request."),
        ),
    ),
    "message.still_looking": Shipped(
        purpose="message",
        reason=None,
        name=N_("We are still looking"),
        sentences=(
            N_("Thank you for your patience: a person is looking at your request. You need not do anything."),
            N_("Hours until our answer, at most: {hours}"),
        ),
    ),
    "message.what_changed": Shipped(
        purpose="message",
        reason=None,
        name=N_("What has changed, and why?"),
        sentences=(
            N_("Please write in a sentence what has changed and on which paper it stands. You asked to change: {details}."),
        ),
    ),
    "message.person_asked_for": Shipped(
        purpose="message",
        reason=ReasonCode.CUSTOMER_ASKED_FOR_PERSON,
        sentences=(
            N_("I have your request before me. Please write in your own words where you could not go on, and I will help."),
        ),
    ),
    "message.thank_you": Shipped(
        purpose="message",
        reason=None,
        name=N_("Thank you, that is all"),
        sentences=(N_("Thank you, we have all we need. You do not have to do anything more."),),
    ),
}
"""What a desk needs on its first day: a text for every reason for a new photo, and for refusals and questions the usual ones.

Most refusals share "Could not be confirmed": to say more would tell which check spoke against her (docs/decisions/0021).
"""

# What gives a check away


def _any_of(*lists: str) -> re.Pattern[str]:
    """One of many words and phrases, parted by `|`; `*` stands for any ending."""
    return re.compile(r"\b(?:" + "|".join(lists).replace("*", r"\w*") + r")\b", re.IGNORECASE)


_GIVES_AWAY = _any_of(
    "face match*|similarit*|look-alike*|lookalike*|different person|different people|not the same person|liveness|spoof*",
    "fraud*|fake|faked|forged|forger*|counterfeit*|stolen|suspicio*|suspect*|threshold*|score|scores|scored|risk|risks|risky",
    "blacklist*|duplicate|duplicates|other account|other accounts|check digit|check digits|algorithm*",
    "сходств*|похож*|другой человек|другого человека|другим человеком|не тот человек|чужой паспорт|чужого паспорта",
    "живой человек|живого человека|живое лицо|живого лица|живость|живости|поддел*|фальшив*|мошенн*|подозр*|порог|порога|порогов*",
    "балл|балла|баллов|баллы|риск*|чёрный список|чёрном списке|черный список|черном списке|дубл*|другой аккаунт|другом аккаунте",
    "другие аккаунты|других аккаунтах|контрольная цифра|контрольной цифры|контрольные цифры|контрольных цифр|алгоритм*",
    "similitud*|parecido|parecida|parecidos|parecidas|no es la misma persona|persona distinta|prueba de vida|fraud*|falso|falsa",
    "falsos|falsas|falsific*|suplant*|sospech*|umbral*|puntuaci*|puntaje*|riesgo*|lista negra|duplicad*|otra cuenta",
    "otras cuentas|dígito de control|dígitos de control|algoritmo*",
    "ұқсас*|ұқсама*|бөтен адам*|тірі адам*|жалған*|алаяқ*|күдік*|тәуекел*|қара тізім*|бақылау сан*|басқа аккаунт*",
)
_GIVES_AWAY_IN_A_REFUSAL = _any_of(
    "face|faces|selfie|selfies|portrait|portraits|лицо|лица|лицу|лицом|лице|селфи|портрет*|cara|rostro|rostros|retrato|retratos",
    "бет-әлпет*|бет бейне*",
)


def gives_away(text: str, purpose: str) -> tuple[str, ...]:
    """Words in a text that may tell which check spoke against a customer, in any of our languages; empty: none was seen.

    A list of words knows no meaning: it stops a slip of the pen, and a person decides. On a photo to be taken again faces are
    spoken of; in a refusal they are not.
    """
    text = conversations.plain(text)
    found = [m.group(0) for m in _GIVES_AWAY.finditer(text)]
    if purpose == "reject":
        found += [m.group(0) for m in _GIVES_AWAY_IN_A_REFUSAL.finditer(text)]
    return tuple(dict.fromkeys(word.lower() for word in found))


# Reading


def current(session: Session, *, retired: bool = False) -> list[Reply]:
    """Every reply as its newest version has it, by purpose and code; retired ones only if asked for."""
    newest = select(ReplyVersion.reply, func.max(ReplyVersion.number).label("number")).group_by(ReplyVersion.reply).subquery()
    rows = session.execute(
        select(ReplyVersion, Staff.name)
        .join(newest, and_(newest.c.reply == ReplyVersion.reply, newest.c.number == ReplyVersion.number))
        .join(Staff, Staff.id == ReplyVersion.author_id)
    )
    found = {code: _shipped(code) for code in SHIPPED}
    found.update({row.reply: _reply(row, name) for row, name in rows})
    kept = [reply for reply in found.values() if retired or not reply.retired]
    order = {code: at for at, code in enumerate(SHIPPED)}
    return sorted(kept, key=lambda r: (PURPOSES.index(r.purpose), order.get(r.code, len(order)), r.code))


def versions(session: Session, code: str) -> list[Reply]:
    """Every version of a reply, newest first. Raises NoSuchReply."""
    rows = session.execute(
        select(ReplyVersion, Staff.name)
        .join(Staff, Staff.id == ReplyVersion.author_id)
        .where(ReplyVersion.reply == code)
        .order_by(ReplyVersion.number.desc())
    )
    found = [_reply(row, name) for row, name in rows]
    if code in SHIPPED:
        found.append(_shipped(code))
    if not found:
        raise NoSuchReply(code)
    return found


def named(reply: Reply, locale: str) -> str:
    """What agents call a reply, in their language: its own name, or its reason."""
    if reply.name:
        return wording.gettext(locale)(reply.name)
    return wording.agent_sentence(reply.reason, locale) if reply.reason else reply.code


# Filling


def values(
    session: Session, case: Case, *, purpose: str, locale: str, retake: Iterable[PhotoKind] = (), now: datetime
) -> dict[str, str]:
    """What the variables of a purpose stand for in one case, in the customer's language."""
    settings = session.info["settings"]
    found = {"hours": str(settings.review_hours)}
    if purpose == "ask_retake":
        found["photo"] = ", ".join(wording.label(kind, locale).lower() for kind in sorted(retake))
        found["deadline"] = format_date((now + timedelta(days=settings.draft_days)).date(), "long", locale=locale)
    if purpose == "reject":
        until = now + min(intake.APPEAL_WITHIN, timedelta(days=settings.photo_days))
        found["appeal"] = format_date(until.date(), "long", locale=locale)
    if "details" in FOR[purpose]:
        found["details"] = ", ".join(wording.label(name, locale).lower() for name in _changing(session, case))
    return {name: conversations.plain(value) for name, value in found.items() if name in FOR[purpose]}


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values where variables stand. Raises Unfilled for a name that is not among them."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise Unfilled(found[1])
        return values[found[1]]

    return _VARIABLE.sub(value, text)


# Writing


def save(
    session: Session,
    code: str | None,
    *,
    purpose: str,
    reason: ReasonCode | None,
    name: str,
    texts: Mapping[str, str],
    seen: int = 0,
    retired: bool = False,
    agent: Staff,
    now: datetime,
) -> Reply:
    """Keep a new version of a reply, or with no `code` a new reply. `seen` is the number the page showed.

    The purpose of a reply never changes. Raises NotAllowed, NoSuchReply, Stale, Wrong.
    """
    people.require(agent, "manage_replies")
    name = " ".join(conversations.plain(name).split())
    written = {language: conversations.plain(texts.get(language, "")) for language in LANGUAGES}
    if code is None:
        code = f"own.{uuid4().hex[:12]}"
        last = 0
    else:
        before = versions(session, code)[0]
        purpose, last = before.purpose, before.number
        if last != seen:
            raise Stale(code)
        if retired:  # taken out as it is, whatever stands in the form
            name, reason, written = before.name, before.reason, dict(before.texts)
    problems = {} if retired else _problems(purpose, reason, name, written)
    if last == 0 and code not in SHIPPED and len(current(session)) >= MOST_REPLIES:
        problems["name"] = "too_many"
    if problems:
        raise Wrong(problems)
    row = ReplyVersion(
        reply=code,
        number=last + 1,
        purpose=purpose,
        reason=reason.value if reason else None,
        name=name,
        texts=written,
        retired=retired,
        author_id=agent.id,
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:  # another person's version came between reading and writing
        raise Stale(code) from None
    audit.record(session, "reply_saved", actor=audit.Actor.staff(agent), now=now, reply=code, number=row.number, retired=retired)
    return _reply(row, agent.name)


def _problems(purpose: str, reason: ReasonCode | None, name: str, texts: Mapping[str, str]) -> dict[str, str]:
    problems: dict[str, str] = {}
    if purpose not in PURPOSES:
        problems["purpose"] = "missing"
        return problems
    if not name and reason is None:
        problems["name"] = "missing"
    elif len(name) > 80:
        problems["name"] = "too_long"
    for language, text in texts.items():
        unknown = [found for found in _VARIABLE.findall(text) if found not in FOR[purpose]]
        if not text:
            problems[language] = "missing"
        elif len(text) > MOST_LETTERS:
            problems[language] = "too_long"
        elif unknown:
            problems[language] = "unknown_variable"
        elif _BRACES.search(_VARIABLE.sub("", text)):
            problems[language] = "braces"
        elif _PERSONAL.search(text):
            problems[language] = "personal"
        elif gives_away(text, purpose):
            problems[language] = "gives_away"
    return problems


# Use


def used(
    session: Session,
    case: Case,
    code: str,
    *,
    sent: str,
    locale: str,
    carrier_id: UUID | None,
    filled: Mapping[str, str],
    now: datetime,
) -> None:
    """Count that words sent to a customer came from a reply; `filled` are the values its variables had.

    A code of nothing is not counted: it comes from a form.
    """
    try:
        reply = versions(session, code)[0]
    except NoSuchReply:
        return
    try:
        whole = fill(reply.texts.get(locale) or reply.texts[wording.SOURCE], filled)
    except Unfilled:
        whole = None
    session.add(
        ReplyUse(
            id=uuid4(),
            reply=code,
            number=reply.number,
            locale=locale,
            changed=whole is None or conversations.plain(whole) not in conversations.plain(sent),
            case_id=case.id,
            customer_id=case.customer_id,
            carrier_id=carrier_id,
            used_at=now,
            until=now + FOLLOW_UP,
        )
    )
    session.flush()


def counted(session: Session, carrier_id: UUID) -> bool:
    """Whether a use in this answer or message is written down."""
    return session.scalar(select(exists().where(ReplyUse.carrier_id == carrier_id))) or False


def not_used(session: Session, carrier_id: UUID) -> None:
    """What carried a reply was taken back before it left."""
    for row in session.scalars(select(ReplyUse).where(ReplyUse.carrier_id == carrier_id)):
        session.delete(row)
    session.flush()


_CAME_BACK = ("submitted", "appealed", "person_asked_for")
"""Events by which a customer tries again."""


def figures(session: Session, *, now: datetime) -> dict[str, Figures]:
    """What became of each text that was used in WINDOW, by code. Four queries, whatever their number."""
    recent = and_(ReplyUse.used_at > now - WINDOW, ReplyUse.used_at <= now)
    unsent = exists().where(
        Answer.id == ReplyUse.carrier_id,
        Answer.state.in_((AnswerState.TAKEN_BACK, AnswerState.DROPPED, AnswerState.FOLLOWED, AnswerState.OVERRULED)),
    )
    uses = session.execute(select(ReplyUse.id, ReplyUse.reply, ReplyUse.changed).where(recent, ~unsent)).all()

    def happened(row: type[Event | Run | Disposition], at: Any, *what: ColumnElement[bool]) -> Select[Any]:
        """Of each use, what happened in any request of the same customer before its time was up."""
        return (
            select(ReplyUse.id, at)
            .join(Case, Case.customer_id == ReplyUse.customer_id)
            .join(row, row.case_id == Case.id)
            .where(recent, at > ReplyUse.used_at, at <= ReplyUse.until, *what)
        )

    tried: dict[UUID, datetime] = {}
    for use_id, at in session.execute(happened(Event, Event.at, Event.kind.in_(_CAME_BACK))):
        tried[use_id] = min(at, tried.get(use_id, at))
    failures: dict[UUID, datetime] = {}
    for query in (
        happened(Run, Run.finished_at, Run.outcome == "retake"),
        happened(Disposition, Disposition.created_at, Disposition.action.in_(("ask_retake", "reject"))),
    ):
        for use_id, at in session.execute(query):
            failures[use_id] = max(at, failures.get(use_id, at))
    found: dict[str, Figures] = {}
    for use_id, reply, changed in uses:
        before = found.get(reply, Figures())
        came = use_id in tried
        found[reply] = Figures(
            used=before.used + 1,
            changed=before.changed + changed,
            came_back=before.came_back + came,
            # Her answer itself is carried out a moment after its text was chosen; only what follows her next try counts.
            failed_again=before.failed_again + (came and use_id in failures and failures[use_id] > tried[use_id]),
        )
    return found


def _changing(session: Session, case: Case) -> list[Field]:
    """Details that the request changes; nothing once it was shredded."""
    try:
        claim, _new = profiles.read_claim(session, case)
    except KeyDestroyed:
        return []
    customer = session.get_one(Customer, case.customer_id)
    version = session.get_one(ProfileVersion, case.prior_version_id or customer.profile_version_id)
    return profiles.differing(profiles.read_version(session, customer, version)[0], claim.values)


@cache
def _shipped(code: str) -> Reply:
    made = SHIPPED[code]
    return Reply(
        code=code,
        number=0,
        purpose=made.purpose,
        reason=made.reason,
        name=made.name,
        texts={language: " ".join(map(wording.gettext(language), made.sentences)) for language in LANGUAGES},
    )


def _reply(row: ReplyVersion, author: str) -> Reply:
    known = {code.value: code for code in ReasonCode}
    return Reply(
        code=row.reply,
        number=row.number,
        purpose=row.purpose,
        reason=known.get(row.reason or ""),
        name=row.name,
        texts=row.texts,
        retired=row.retired,
        author=author,
        at=row.created_at,
    )
