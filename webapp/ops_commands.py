"""Commands of operations: `flask policy replay|pack` and `flask undo …`. Who proposes and who confirms give their passwords.

`webapp.cli` registers them. They use the functions that the pages use, so what a page refuses they refuse too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import NoResultFound

from cases import replays, switches, undo
from verification.evidence import ChangeReason
from webapp.acting import acting_as, identify, person, refusals
from webapp.context import database, now
from webapp.policy_commands import LACKS

PACK_AT_ONCE = 1_000
"""Runs packed in one transaction."""


# Replaying


LONGEST = replays.LONGEST_WINDOW.days


@click.command("replay")
@click.argument("version", type=int)
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, LONGEST), help="How far to look back.")
@click.option("--as", "email", metavar="EMAIL", help="Keep the report with the version, in this person's name.")
@with_appcontext
def policy_replay(version: int, days: int, email: str | None) -> None:
    """Decide the last runs anew under VERSION and under the policy that holds, from stored measures. Opens no photo.

    Prints what would differ. Kept with the version, as a proposal needs it, only with --as.
    """
    acting = identify(email) if email else None
    moment = now()
    try:
        with database().reading() as db:
            found, wrong = replays.weigh(db, version, since=moment - timedelta(days=days), now=moment)
    except NoResultFound:
        raise click.ClickException("there is no policy of this version.") from None
    _tell(found)
    if acting is None:
        click.echo("not kept: say --as EMAIL to keep it with the version")
        return
    with refusals(), database().transaction() as db:
        kept = replays.keep_report(db, found, wrong, by=person(db, acting), now=moment)
        click.echo(f"kept as report {kept.id}")
        left = sum(one.opened_at is None for one in replays.to_open(db, version))
        lack = replays.seen(db, version, now=moment).lack
    if lack is not None:
        click.echo(f"it does not count for a proposal: {LACKS[lack]}")
    if left:
        click.echo(f"{left} to open before it may be proposed; to list them: flask policy look {version} --as {email}")


def _tell(found: replays.Replay) -> None:
    click.echo(
        f"policy {found.version} against policy {found.against}: {found.runs} runs "
        f"from {found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    )
    if found.skipped:
        click.echo(f"left out: {found.skipped} runs not packed by this version of the program; run: flask policy pack")
    for flow, count in sorted(found.flows.items(), key=lambda pair: (len(set(pair[0].split(">"))) == 1, -pair[1])):
        was, after = flow.split(">")
        click.echo(f"{count:9}  {was if was == after else f'{was} -> {after}'}")
    bound = replays.upper_bound(found.wrong, found.answered)
    if bound is None:
        click.echo("newly approved and answered by a person: none")
    else:
        click.echo(
            f"newly approved and answered by a person: {found.answered}, of these wrong {found.wrong} (at most {bound:.2%})"
        )
    how = f"measured on {found.timed} answers" if found.measured else "assumed"
    click.echo(f"agents: {found.hours_per_week:+.1f} hours a week, {found.seconds_each:.0f} s a case ({how})")
    for group in found.warned:
        click.echo(f"look: {group.kind} {group.value}, {group.runs} runs: {group.was:.1%} -> {group.now:.1%} approved")


@click.command("pack")
@with_appcontext
def policy_pack() -> None:
    """Pack finished runs that have no record of this version of the program, so that they can be replayed. May be repeated."""
    total = 0
    while True:
        with database().transaction() as db:
            done = replays.backfill(db, limit=PACK_AT_ONCE)
        total += done
        if not done:
            break
    click.echo(f"{total} packed")


# Taking approvals back


undo_cli = AppGroup("undo", help="Approvals of the machine, taken back by two people.")


def _chosen(command: Any) -> Any:
    """The options that choose approvals."""
    for option in (
        click.option("--country", metavar="CODE", help="As it stands in the document: KAZ, RUS, D."),
        click.option("--kind", type=click.Choice([kind.value for kind in ChangeReason]), help="Kind of change."),
        click.option("--until", type=click.DateTime(), help="Approved before then, UTC."),
        click.option("--since", type=click.DateTime(), help="Approved from then on, UTC."),
        click.option("--version", type=int, help="Policy that approved."),
    ):
        command = option(command)
    return command


def _selection(
    version: int | None, since: datetime | None, until: datetime | None, kind: str | None, country: str | None
) -> undo.Selection:
    code = country.upper() if country else None
    if code:
        try:
            switches.scope(f"{switches.Kind.COUNTRY}:{code}")
        except switches.UnknownScope:
            raise click.UsageError("--country is the code that stands in the document: KAZ, RUS, D.") from None
    if since and until and since >= until:
        raise click.UsageError("--until has to come after --since.")
    found = undo.Selection(
        version=version,
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
        change_reason=ChangeReason(kind) if kind else None,
        country=code,
    )
    if found.empty:
        raise click.UsageError("say which: --version, --since, --until, --kind or --country.")
    return found


def _preview(selection: undo.Selection, *, listed: int | None = undo.LISTED) -> None:
    with database().reading() as db:
        seen = undo.preview(db, selection, listed=listed)
        goes_on = undo.goes_on(db, selection, now=now())
    _tell_preview(seen)
    if goes_on:
        click.echo("The machine goes on approving such cases: send everything to people first.", err=True)


def _tell_preview(seen: undo.Preview) -> None:
    click.echo(
        f"{seen.count} approvals" + (f", {seen.first:%Y-%m-%d %H:%M} to {seen.last:%Y-%m-%d %H:%M} UTC" if seen.last else "")
    )
    click.echo(f"  {seen.count - seen.conflicts - seen.closing} taken back, a person looks again")
    click.echo(f"  {seen.closing} taken back and only closed: another request is open, or the photos are shredded")
    if seen.erased:
        click.echo(f"    {seen.erased} of these of people who were erased: nobody is told")
    click.echo(f"  {seen.conflicts} changed again since: not touched")
    if seen.gone:
        click.echo(f"  {seen.gone} taken back by somebody meanwhile")
    for name, rows in (("policy", seen.by_version), ("country", seen.by_country), ("kind", seen.by_reason)):
        click.echo(f"by {name}: " + (", ".join(f"{code or 'not known'} {n}" for code, n in rows) or "none"))
    for case_id in seen.conflicting:
        click.echo(f"conflict {case_id}")
    if more := seen.conflicts - len(seen.conflicting):
        click.echo(f"and {more} more conflicts: flask undo preview --all")


@undo_cli.command("preview")
@_chosen
@click.option("--all", "every", is_flag=True, help=f"Name every conflict, not only the first {undo.LISTED}.")
def undo_preview(every: bool, **chosen: Any) -> None:
    """Print what an undo would do at this moment, and which cases it would leave alone. Changes nothing."""
    _preview(_selection(**chosen), listed=None if every else undo.LISTED)


@undo_cli.command("propose")
@_chosen
@click.option("--reason", required=True, help="Why they have to be taken back.")
@acting_as
def undo_propose(acting: UUID, reason: str, **chosen: Any) -> None:
    """Propose to take approvals back; prints the number of the proposal. Nothing happens before another person confirms."""
    selection = _selection(**chosen)
    _preview(selection)
    with refusals(), database().transaction() as db:
        made = undo.propose(db, selection, by=person(db, acting), reason=reason, now=now())
        click.echo(f"proposed: {made.count} approvals, to be confirmed by another person")
        click.echo(str(made.id))


@undo_cli.command("confirm")
@click.argument("number", type=click.UUID)
@acting_as
def undo_confirm(number: UUID, acting: UUID) -> None:
    """Let the proposal NUMBER happen, as the second person. Asks how many approvals it is."""
    with refusals():
        with database().reading() as db:
            standing = undo.standing(db, number)
            seen = undo.preview_of(db, number) if standing.pending else None
        click.echo(f"{standing.proposed_by} proposed: {standing.undo.reason}")
        if seen is not None:
            _tell_preview(seen)
        typed = click.prompt(f"To confirm, type how many approvals are taken back ({standing.undo.count})")
        if "".join(str(typed).split()) != str(standing.undo.count):
            raise click.ClickException("that is not the number. Nothing was changed.")
        with database().transaction() as db:
            undo.confirm(db, number, by=person(db, acting), now=now())
    click.echo("confirmed: upkeep takes them back now, or: flask undo run")


@undo_cli.command("withdraw")
@click.argument("number", type=click.UUID)
@acting_as
def undo_withdraw(number: UUID, acting: UUID) -> None:
    """Close the proposal NUMBER, which nobody confirmed."""
    with refusals(), database().transaction() as db:
        undo.withdraw(db, number, by=person(db, acting), now=now())
    click.echo("withdrawn")


@undo_cli.command("retry")
@click.argument("number", type=click.UUID)
@acting_as
def undo_retry(number: UUID, acting: UUID) -> None:
    """Have what failed in the undo NUMBER tried once more. Two people agreed to it, so it takes one."""
    with refusals(), database().transaction() as db:
        count = undo.try_again(db, number, by=person(db, acting), now=now())
    click.echo(f"{count} to be tried again: upkeep does it now, or: flask undo run")


NAMED = ("conflict", "failed", "erased")
"""Outcomes whose cases are named: a person has to look after them."""


@undo_cli.command("list")
@click.argument("number", type=click.UUID, required=False)
def undo_list(number: UUID | None) -> None:
    """Print what was proposed and how far it is, newest first; of NUMBER also conflicts, failures and erased people's cases."""
    with refusals(), database().reading() as db:
        found = [undo.standing(db, number)] if number else undo.all_of_them(db)
        special = [(name, one) for name in NAMED for one in undo.ended(db, number, name)] if number else []
    for one in found:
        over = "withdrawn" if one.undo.withdrawn_at else "done" if one.undo.finished_at else f"{one.left} left"
        parts = ", ".join(f"{n} {name}" for name, n in one.outcomes.items())
        who = f"{one.proposed_by}, {one.confirmed_by}" if one.confirmed_by else one.proposed_by
        when = f"{one.undo.proposed_at:%Y-%m-%d %H:%M}"
        state = "waits" if one.pending else over
        click.echo(f"{one.undo.id}  {when}  {one.undo.count:7}  {state}  {parts}  ({who}) {one.undo.reason}")
    for name, item in special:
        click.echo(f"{name} {item.case_id}" + (f" {item.code}" if item.code else ""))
    if not found:
        click.echo("nothing was proposed")


@undo_cli.command("run")
def undo_run() -> None:
    """Take back now what two people agreed to, in this process; upkeep does the same by itself. May be stopped and repeated."""
    total = 0
    while done := undo.carry_out(database(), now=now(), most=undo.BATCH * 20):
        total += done
        click.echo(f"{total} …")
    click.echo(f"{total} carried out")
