"""`flask policy draft|propose|confirm|withdraw|stage|rollback|status`: how a policy comes to hold, in somebody's name.

They use the functions that the pages use, so what a page refuses they refuse too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import click
from flask.cli import with_appcontext

from cases import halts, policies, ramps, replays, rollout, switches
from cases.ramps import Stage
from verification.policy import Policy
from webapp.acting import acting_as, person, refusals
from webapp.context import database, now

SAID = {Stage.SHADOW: "shadow", Stage.FIVE: "5 %", Stage.QUARTER: "25 %", Stage.FULL: "all cases"}


@contextmanager
def _refusals() -> Iterator[None]:
    with refusals():
        try:
            yield
        except replays.NotReplayed:
            raise click.ClickException("replay it first: flask policy replay VERSION --as EMAIL. Nothing was changed.") from None
        except replays.Unopened as left:
            raise click.ClickException(
                f"{left.count} cases that it would have approved wrongly have to be opened first. Nothing was changed."
            ) from None
        except rollout.TooEarly as early:
            raise click.ClickException(f"too early: {early}. Nothing was changed.") from None


@click.command("draft")
@click.argument("settings", nargs=-1, required=True, metavar="NAME=VALUE…")
@click.option("--from", "version", type=int, help="Begin with this version; left out: with the one that holds.")
@click.option("--reason", required=True)
@with_appcontext
@acting_as
def policy_draft(settings: tuple[str, ...], version: int | None, reason: str, acting: UUID) -> None:
    """Keep a new version that differs in NAME=VALUE (JSON, such as 6.4, true or ["TD3"]). It does not hold yet."""
    changes: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        try:
            changes[name] = json.loads(value)
        except ValueError:
            equals = ""
        if not equals:
            raise click.ClickException(f"'{name}' wants NAME=VALUE with a value in JSON. Nothing was changed.")
    with _refusals(), database().transaction() as db:
        start = policies.get(db, version) if version is not None else policies.current(db)
        document = Policy.from_json({**start.to_json(), **changes})
        row = policies.draft(db, document, author=person(db, acting), reason=reason, now=now())
        number = row.version
    click.echo(number)


@click.command("propose")
@click.argument("version", type=int)
@click.option("--reason", required=True)
@with_appcontext
@acting_as
def policy_propose(version: int, reason: str, acting: UUID) -> None:
    """Let VERSION hold: at once where it only tightens; else once it was replayed and another person confirms."""
    with _refusals(), database().transaction() as db:
        activation = policies.propose(db, version, by=person(db, acting), reason=reason, now=now())
        number, holds = activation.id, activation.effective_at is not None
    click.echo("holds from now on" if holds else f"proposed as {number}: another person confirms it")


@click.command("confirm")
@click.argument("proposal", type=int)
@with_appcontext
@acting_as
def policy_confirm(proposal: int, acting: UUID) -> None:
    """Confirm PROPOSAL, as the second person: its version begins in shadow."""
    with _refusals(), database().transaction() as db:
        policies.confirm(db, proposal, by=person(db, acting), now=now())
    click.echo("in shadow: it decides nothing, and what it would decide is counted")


@click.command("withdraw")
@click.argument("proposal", type=int)
@with_appcontext
@acting_as
def policy_withdraw(proposal: int, acting: UUID) -> None:
    """Close PROPOSAL, which nobody confirmed."""
    with _refusals(), database().transaction() as db:
        policies.withdraw_proposal(db, proposal, by=person(db, acting), now=now())
    click.echo("withdrawn")


@click.command("stage")
@click.argument("to", type=click.Choice([s.value for s in (Stage.FIVE, Stage.QUARTER, Stage.FULL)]))
@with_appcontext
@acting_as
def policy_stage(to: str, acting: UUID) -> None:
    """Take the version that is on its way a step further, TO 5 % (five), 25 % (quarter) or all cases (full)."""
    with _refusals(), database().transaction() as db:
        ramp = ramps.under_way(db)
        if ramp is None:
            raise policies.Outdated("no version is on its way")
        rollout.step_up(db, ramp.activation_id, to=Stage(to), by=person(db, acting), now=now())
    click.echo(f"policy {ramp.version}: {SAID[Stage(to)]}")


@click.command("rollback")
@click.option("--reason", required=True)
@with_appcontext
@acting_as
def policy_rollback(reason: str, acting: UUID) -> None:
    """Go back to the former version at once: of the version that is on its way, or of the one that was loosened into last."""
    with _refusals(), database().transaction() as db:
        held = rollout.rollback(db, by=person(db, acting), reason=reason, now=now())
    click.echo(f"policy {held.version} decides every case")


@click.command("status")
@with_appcontext
def policy_status() -> None:
    """Print which version holds, which is on its way, what was counted, and whether approvals were halted. Changes nothing."""
    with database().reading() as db:
        held, found, halt = policies.current(db), rollout.status(db, now=now()), halts.standing(db)
        stopped = switches.everything_to_people(db)
    click.echo(f"policy {held.version} holds")
    if found is not None:
        lacks = found.missing
        click.echo(
            f"policy {found.ramp.version} is on its way: {SAID[found.ramp.stage]} since {found.ramp.since:%Y-%m-%d %H:%M} UTC"
        )
        for trial in found.trials:
            flows = ", ".join(f"{held.value}>{tried.value} {n}" for (held, tried), n in trial.flows.items())
            click.echo(f"  {SAID[trial.stage]}: {trial.differing} of {trial.runs} runs differ ({flows}); it decided {trial.live}")
        ready = "may be taken" if lacks.nothing else f"lacks {lacks.runs} runs and {lacks.hours:.1f} hours"
        click.echo(f"  next step: {found.next.value} {ready}")
    else:
        click.echo("no version is on its way")
    if halt is not None:
        numbers = ", ".join(f"{name} {value:g}" for name, value in halt.figures.items())
        click.echo(f"halted by itself at {halt.at:%Y-%m-%d %H:%M} UTC: {halt.bound} ({numbers})")
    elif stopped:
        click.echo("everything goes to people")


COMMANDS = (policy_draft, policy_propose, policy_confirm, policy_withdraw, policy_stage, policy_rollback, policy_status)
