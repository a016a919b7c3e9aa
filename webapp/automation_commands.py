"""`flask automation stop|propose|confirm|withdraw|status`: the switch of automatic decisions, in somebody's name.

To stop takes one person, to go on takes two, also after a halt. The functions are those of the pages, and so is what they refuse.
"""

from __future__ import annotations

from uuid import UUID

import click
from flask.cli import AppGroup

from cases import halt_words, halts, switches, wording
from cases.halts import Bound
from webapp.acting import acting_as, person, refusals
from webapp.context import database, now

automation_cli = AppGroup("automation", help="The switch of automatic decisions.")

SCOPE = click.option(
    "--scope",
    default=switches.ALL,
    show_default=True,
    help="all, or only a part: country:KAZ, document:TD1, check:zone.",
)


@automation_cli.command("stop")
@SCOPE
@click.option("--reason", required=True, help="Why a person has to look.")
@acting_as
def automation_stop(scope: str, reason: str, acting: UUID) -> None:
    """Send everything, or one part, to people from the next decision on."""
    with refusals(), database().transaction() as db:
        switches.to_people(db, by=person(db, acting), reason=reason, scope=scope, now=now())
    click.echo("everything goes to people" if scope == switches.ALL else f"{scope} goes to people")


@automation_cli.command("propose")
@SCOPE
@click.option("--reason", required=True, help="Why the machine may decide again.")
@acting_as
def automation_propose(scope: str, reason: str, acting: UUID) -> None:
    """Propose that the machine decides again; prints the number of the proposal. Another person confirms it."""
    with refusals(), database().transaction() as db:
        number = switches.propose_automation(db, by=person(db, acting), reason=reason, scope=scope, now=now()).id
    click.echo(f"proposed as {number}: another person confirms it")


@automation_cli.command("confirm")
@click.argument("number", type=int)
@acting_as
def automation_confirm(number: int, acting: UUID) -> None:
    """Let the machine decide again, as the second person."""
    with refusals(), database().transaction() as db:
        scope = switches.confirm_automation(db, number, by=person(db, acting), now=now()).scope
    click.echo("the machine decides again" if scope == switches.ALL else f"the machine decides again on {scope}")


@automation_cli.command("withdraw")
@click.argument("number", type=int)
@acting_as
def automation_withdraw(number: int, acting: UUID) -> None:
    """Close the proposal NUMBER, which nobody confirmed."""
    with refusals(), database().transaction() as db:
        switches.withdraw_automation(db, number, by=person(db, acting), now=now())
    click.echo("withdrawn")


@automation_cli.command("status")
def automation_status() -> None:
    """Print what goes to people now, by whom and why, and which proposals wait. Changes nothing."""
    with database().reading() as db:
        closed, halt = switches.state(db), halts.standing(db)
    if halt is not None:
        click.echo(f"halted by itself at {halt.at:%Y-%m-%d %H:%M} UTC: ", nl=False)
        click.echo(halt_words.why(Bound(halt.bound), halt.figures, wording.SOURCE))
    for one in closed:
        who = one.row.proposed_by or "the system"
        click.echo(f"{one.scope} goes to people since {one.row.effective_at:%Y-%m-%d %H:%M} UTC ({who}) {one.row.reason}")
        if one.pending is not None:
            click.echo(f"  {one.pending.id} waits for a second person ({one.pending.proposed_by}) {one.pending.reason}")
    if not closed:
        click.echo("the machine decides")
