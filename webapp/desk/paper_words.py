"""What supporting papers say, in words for the agent. No request but its language, no database."""

from __future__ import annotations

from collections.abc import Iterable

from flask_babel import gettext as _

from cases.supporting import Finding, Machine, Shown, Sight, Stand
from verification.evidence import DATES, Field
from verification.papers import Detail, EntryKind
from webapp.desk.presenters import Check
from webapp.i18n import label, shown


def words(papers: Iterable[Shown]) -> list[Check]:
    """Continuity by papers: what was read or seen on those that are here, and which were asked for and are not.

    Nothing of it approves anything; see docs/decisions/0013.
    """
    out: list[Check] = []
    for paper in papers:
        name = label(paper.kind)
        if paper.stand in (Stand.WANTED, Stand.LATE):
            out.append(Check(sign="open", text=_("Asked for, not here yet: %(paper)s.", paper=name)))
        elif paper.stand is Stand.DECLINED:
            out.append(Check(sign="open", text=_("The customer cannot send: %(paper)s.", paper=name)))
        elif paper.stand is Stand.HERE:
            said = told(paper)
            if not said and paper.machine is not Machine.WAITS:
                said = [Check(sign="open", text=_("Here, and nobody has ticked what it shows."))]
            out += [Check(sign=check.sign, text=f"{name}: {check.text}") for check in said]
    return out


def told(paper: Shown) -> list[Check]:
    """What one paper says beside claim and account: by the machine's reading first, then by an agent's eyes."""
    out = [_finding(finding) for finding in paper.findings]
    if paper.sights:
        good = [sight_words(sight) for sight in paper.sights if sight is not Sight.UNREADABLE]
        if Sight.UNREADABLE in paper.sights:
            out.append(Check(sign="no", text=_("%(name)s could not read it, or it is another paper.", name=paper.seen_by)))
        if good:
            out.append(Check(sign="yes", text=_("%(name)s saw on it: %(what)s.", name=paper.seen_by, what=", ".join(good))))
    return out


def _finding(finding: Finding) -> Check:
    sign, text = {
        Finding.SAME_PASSPORT: ("yes", _("The page carries the number of the passport in this request.")),
        Finding.OTHER_PASSPORT: ("no", _("The page carries another passport's number.")),
        Finding.EARLIER_NUMBER: ("yes", _("An earlier passport noted there has a number of this account.")),
        Finding.NO_EARLIER_NUMBER: (
            "open",
            _("No earlier passport noted there has a number of this account. Notes are voluntary: that proves nothing."),
        ),
        Finding.SURNAME_EXPLAINED: ("yes", _("The marriage or divorce noted there explains the new surname.")),
        Finding.SURNAME_NOT_EXPLAINED: ("no", _("The marriage or divorce noted there does not explain the new surname.")),
        Finding.OTHER_PAGE: ("open", _("It is another page than it was sent as.")),
    }[finding]
    return Check(sign=sign, text=text)


def machine_words(paper: Shown) -> str:
    """What the machine did with a paper; empty where its readings speak for themselves."""
    return {
        Machine.WAITS: _("The machine has not read it yet."),
        Machine.READ: _("The machine found the page, and no entry on it.") if not paper.stamps else "",
        Machine.NOTHING: _("The machine found no such page on it."),
        Machine.FAILED: _("The machine could not read it."),
        Machine.NOT_ITS: _("No machine reads this paper: tick what you see on it."),
    }[paper.machine]


def stand_words(paper: Shown) -> str:
    """How a paper stands, short."""
    return {
        Stand.WANTED: _("asked for"),
        Stand.LATE: _("not sent in time"),
        Stand.DECLINED: _("cannot be sent"),
        Stand.WITHDRAWN: _("no longer needed"),
        Stand.HERE: _("here"),
        Stand.GONE: _("shredded"),
    }[paper.stand]


def sight_words(sight: Sight) -> str:
    """What an agent can tick, as it reads after "I see"."""
    return {
        Sight.HELD_NAME: _("the name the account has"),
        Sight.NEW_NAME: _("the new name"),
        Sight.BIRTH_DATE: _("the account's date of birth"),
        Sight.OFFICE: _("an office, a number and a day"),
        Sight.OWN_NUMBER: _("the number of the passport in this request"),
        Sight.EARLIER_NUMBER: _("an earlier passport number of this account"),
        Sight.SPOUSE: _("a spouse whose surname explains the new one"),
        Sight.ADDRESS: _("an address"),
        Sight.UNREADABLE: _("nothing: it cannot be read, or is another paper"),
    }[sight]


def entry_words(kind: EntryKind) -> str:
    """What one stamp or note is about."""
    return {
        EntryKind.PASSPORT: _("Earlier passport"),
        EntryKind.FOREIGN_PASSPORT: _("Passport for travel"),
        EntryKind.MARRIAGE: _("Marriage"),
        EntryKind.DIVORCE: _("Divorce"),
    }[kind]


def detail_words(kind: EntryKind, detail: Detail) -> str:
    """The name of a value. On stamps of marriage and divorce names and birth are the other spouse's."""
    of_both = {
        Detail.REGISTERED_ON: _("Registered on"),
        Detail.ACT_NUMBER: _("Number of the record"),
        Detail.SURNAME_AFTER: _("Surname afterwards"),
    }
    if detail in of_both:
        return of_both[detail]
    if kind in (EntryKind.MARRIAGE, EntryKind.DIVORCE):
        spouse = {
            Detail.SURNAME: _("Spouse's surname"),
            Detail.GIVEN_NAMES: _("Spouse's given names"),
            Detail.PATRONYMIC: _("Spouse's patronymic"),
            Detail.DATE_OF_BIRTH: _("Spouse born on"),
            Detail.ISSUER: _("Registry office"),
        }
        if detail in spouse:
            return spouse[detail]
    return label(Field(detail.value))


def value_words(detail: Detail, text: str) -> str:
    """A value as people write it."""
    if detail is Detail.REGISTERED_ON:
        return shown(text, Field.ISSUED_ON)
    field = next((field for field in Field if field.value == detail.value), None)
    return shown(text, field) if field is not None and (field in DATES or field is Field.DOCUMENT_NUMBER) else text


def fits_words(kind: EntryKind, fits: bool | None) -> str:
    """What an entry says beside the claim; empty where it cannot be told."""
    if fits is None:
        return ""
    if kind in (EntryKind.PASSPORT, EntryKind.FOREIGN_PASSPORT):
        return _("the account's number") if fits else _("not a number of the account")
    return _("explains the new surname") if fits else _("does not explain the new surname")
