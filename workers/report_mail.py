"""Monday's mail: the main numbers of the week as text and as a table, for leads with the whole report as PDF.

Made when it is sent, from the report that was kept: the row of the outbox names the week only. An agent reads her own figures
beside the team's mean and nobody's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import report_paper, report_words, reports, staff_mails
from cases import staff as people
from cases.models import Staff
from cases.reports import ReportWeek
from cases.staff_mails import Attachment, Made, StaffMessage

PAGE, OWN = "/ops/reports", "/desk/me/week"
"""Where the whole report stands, and an agent's own week."""

REASONS = 3
"""Of the reasons why requests were not done at once, as many as a mail holds."""

Rows = Sequence[tuple[str, str, str, str]]
"""Name, value, what stands small below it, the change or the mean."""


def make(session: Session, message: StaffMessage, *, now: datetime) -> Made:
    """What the mail says to this reader. Raises LookupError while the report is not made, NotAllowed for who may see none."""
    week = ReportWeek.parse(message.context["week"], time_zone=session.info["settings"].time_zone)
    reader = session.get_one(Staff, message.staff_id)
    if people.may(reader, "see_reports"):
        return _whole(session, message, reader, week)
    return _own(session, message, reader, week)


def _whole(session: Session, message: StaffMessage, reader: Staff, week: ReportWeek) -> Made:
    found = reports.shown(session, reader=reader, week=week)
    if found is None:
        raise LookupError("the report is not made")
    names = None
    if people.may(reader, "see_team"):
        ids = [one.staff_id for one in found.agents]
        names = {id: name for id, name in session.execute(select(Staff.id, Staff.name).where(Staff.id.in_(ids)))}
    weeks = reports.course(session, reader=reader, names=report_words.COURSE, until=week)
    course = {name: [(one, held[name] if held else None) for one, held in weeks] for name in report_words.COURSE}
    sheet = report_words.sheet(found, message.locale, course=course, names=names)
    say = report_words.Speaker(sheet.language)
    _ = say._
    rows = [
        (
            tile.line.name,
            tile.line.value,
            "" if tile.line.between == "–" else _("likely %(between)s") % {"between": tile.line.between},
            _("%(change)s, may be chance") % {"change": tile.line.change} if tile.line.chance else tile.line.change,
        )
        for tile in sheet.tiles
    ]
    reasons = [(bar.label, bar.value, bar.change) for bar in sheet.topics.bars[:REASONS]]
    link = f"{message.staff_url}{PAGE}?week={week}"
    lines = [f"{name}: {value}" + (f" ({below}; {change})" if below else f" ({change})") for name, value, below, change in rows]
    text = [sheet.summary, "", *lines]
    if reasons:
        text += ["", sheet.topics.title, *(f"- {label} {value} ({change})" for label, value, change in reasons)]
    warnings = [one for one in (sheet.running, sheet.few) if one]
    head = (_("Figure"), _("This week"), _("Difference"))
    return Made(
        words={"title": sheet.title, "body": "\n".join([*warnings, *text]), "page_url": link},
        html=_html(say, sheet.title, [sheet.summary, *warnings], head, rows, link, reasons=(sheet.topics.title, reasons)),
        attachments=(
            Attachment(name=f"peremena-{week}.pdf", media="application/pdf", data=report_paper.pdf(sheet, made_at=found.as_of)),
        ),
    )


def _own(session: Session, message: StaffMessage, reader: Staff, week: ReportWeek) -> Made:
    found = reports.own_week(session, staff=reader, week=week)
    if found is None:
        raise LookupError("the report is not made")
    say = report_words.Speaker(message.locale)
    _, ngettext = say._, say.ngettext
    lines = report_words.own_lines(found, say.language)
    rows = [
        (
            line.name,
            line.value,
            ngettext("from %(num)s answer", "from %(num)s answers", int(line.count)) % {"num": line.n} if line.n else "",
            line.mean,
        )
        for line in lines
    ]
    link = f"{message.staff_url}{OWN}?week={week}"
    title = say.week(week)
    told = _("Your own figures beside the team’s mean. Nobody else sees them beside your name but your team lead.")
    text = [told, ""]
    for name, value, below, mean in rows:
        basis = f", {below}" if below else ""
        text.append(
            _("%(name)s: %(value)s%(basis)s; the mean: %(mean)s") % {"name": name, "value": value, "basis": basis, "mean": mean}
        )
    head = (_("Figure"), _("You"), _("Team's mean"))
    return Made(
        words={"title": title, "body": "\n".join(text), "page_url": link},
        html=_html(say, title, [told], head, rows, link),
    )


# Mail programs know tables and inline styles, no sheets of their own; the colours are the light ones of static/css/tokens.css.

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',Arial,sans-serif"
_CELL = f"{_FONT};font-size:15px;line-height:1.4;padding:9px 8px;border-bottom:1px solid #dcd7cb;vertical-align:top;color:#1b2530"
_HEAD = f"{_FONT};font-size:13px;padding:6px 8px;border-bottom:1px solid #7b8590;color:#4d5966;font-weight:600"
_SMALL = "font-size:13px;color:#4d5966"


def _html(
    say: report_words.Speaker,
    title: str,
    leads: Sequence[str],
    head: tuple[str, str, str],
    rows: Rows,
    link: str,
    *,
    reasons: tuple[str, Sequence[tuple[str, str, str]]] = ("", ()),
) -> str:
    """A page that is readable without a style of its own; everything in it is escaped."""
    _ = say._
    body = [f'<h1 style="{_FONT};font-size:21px;line-height:1.25;margin:0 0 8px;color:#1b2530">{escape(title)}</h1>']
    body += [
        f'<p style="{_FONT};font-size:15px;line-height:1.45;margin:0 0 10px;color:#1b2530">{escape(one)}</p>' for one in leads
    ]
    body.append(_table(head, rows))
    about, some = reasons
    if some:
        body.append(f'<h2 style="{_FONT};font-size:16px;margin:18px 0 4px;color:#1b2530">{escape(about)}</h2>')
        body.append(
            _table((_("Reason"), _("Requests"), _("Difference")), [(label, value, "", change) for label, value, change in some])
        )
    button = f"{_FONT};display:inline-block;padding:11px 18px;background:#0e6a5b;color:#ffffff;border-radius:8px;font-weight:600"
    to_page = _("Open the page")
    body.append(
        f'<p style="margin:20px 0 14px"><a href="{escape(link)}" style="{button};text-decoration:none;font-size:15px">'
        f"{escape(to_page)}</a></p>"
    )
    stop = _("This mail comes on Mondays. It can be turned off on that page.")
    body.append(f'<p style="{_FONT};{_SMALL};margin:0">{escape(stop)}</p>')
    return (
        f'<!doctype html><html lang="{say.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title></head>"
        '<body style="margin:0;padding:0;background:#f6f4ef"><table role="presentation" width="100%" cellpadding="0" '
        'cellspacing="0" style="background:#f6f4ef"><tr><td align="center" style="padding:20px 10px">'
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:600px;'
        'background:#ffffff;border:1px solid #dcd7cb;border-radius:10px">'
        f'<tr><td style="padding:22px 20px">{"".join(body)}</td></tr></table></td></tr></table></body></html>'
    )


def _table(head: tuple[str, str, str], rows: Rows) -> str:
    """Three columns: what, how much, how else."""
    places = ("left", "right", "right")
    top = "".join(
        f'<th scope="col" align="{place}" style="{_HEAD};text-align:{place}">{escape(text)}</th>'
        for text, place in zip(head, places, strict=True)
    )
    lines = []
    for name, value, below, last in rows:
        small = f'<br><span style="{_SMALL};font-weight:400">{escape(below)}</span>' if below else ""
        lines.append(
            f'<tr><th scope="row" align="left" style="{_CELL};text-align:left;font-weight:400">{escape(name)}</th>'
            f'<td align="right" style="{_CELL};text-align:right;font-weight:700">{escape(value)}{small}</td>'
            f'<td align="right" style="{_CELL};text-align:right;{_SMALL}">{escape(last)}</td></tr>'
        )
    return (
        '<table width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse;margin:6px 0">'
        f"<thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )


staff_mails.register(staff_mails.WEEKLY_REPORT, make)
