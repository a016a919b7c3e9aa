"""`flask policy draft|look|propose|confirm|withdraw|stage|rollback|status`: how a policy comes to hold, in somebody's name.

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
from flask_babel import force_locale
from sqlalchemy.orm import Session

from cases import audit, halts, policies, queries, ramps, replays, review, rollout, switches, wording
from cases import staff as people
from cases.models import Case, Staff
from cases.ramps import Stage
from cases.replays import Lack
from verification.decision import Decision
from verification.policy import Policy
from webapp.acting import acting_as, person, refusals
from webapp.context import database, now
from webapp.ops import replay_words

REPLAY = "flask policy replay VERSION --as EMAIL"
LACKS = {
    Lack.NO_REPORT: f"replay it first: {REPLAY}",
    Lack.TOO_OLD: f"its last replay is more than {replays.REPORT_HOLDS.days} days old: {REPLAY}",
    Lack.SKIPPED_MOST: f"its last replay left out more runs than it looked at: flask policy pack, then {REPLAY}",
    Lack.SAW_NOTHING: f"its last replay looked at no run, and there are some: flask policy pack, then {REPLAY} --days 366",
    Lack.TOO_SHORT: f"its last replay looked back less than {replays.LEAST_WINDOW.days} days, and there are older runs: {REPLAY}",
}
"""Why no replay of a version counts, and what to do about it."""

SAID = {Stage.SHADOW: "shadow", Stage.FIVE: "5 %", Stage.QUARTER: "25 %", Stage.FULL: "all cases"}


@contextmanager
def _refusals() -> Iterator[None]:
    with refusals():
        try:
            yield
        except replays.NotReplayed as refused:
            raise click.ClickException(f"{LACKS[refused.lack]}. Nothing was changed.") from None
        except replays.Unopened as left:
            raise click.ClickException(
                f"{left.count} cases that it would have approved wrongly have to be opened first: "
                "flask policy look VERSION --as EMAIL lists them. Nothing was changed."
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


@click.command("look")
@click.argument("version", type=int)
@click.argument("case", type=click.UUID, required=False)
@with_appcontext
@acting_as
def policy_look(version: int, case: UUID | None, acting: UUID) -> None:
    """Show CASE, which VERSION would have approved and a person did not; without CASE: list these cases.

    That it was opened is kept, as by the page, where the person may propose policies. What was typed and read is printed only to
    who may see the case at the desk, and that is an event of the trail of its own.
    """
    moment = now()
    with _refusals(), database().transaction() as db:
        member = person(db, acting)
        people.require(member, "see_policies")
        policies.get(db, version)
        found = replays.to_open(db, version)
        if case is None:
            for one in found:
                click.echo(f"{one.case_id}  {one.answer:8}  {'opened' if one.opened_at else 'not opened'}")
            click.echo(f"{len(found)} cases, {sum(one.opened_at is None for one in found)} not opened")
            return
        chosen = next((one for one in found if one.case_id == case), None)
        if chosen is None:
            raise click.ClickException("no replay of this version against the policy that holds found this case.")
        counts = people.may(member, "propose_policy")
        if counts:
            replays.open_wrong(db, chosen.report_id, case, by=member, now=moment)
        shown = _values_for(db, member, case)
        if shown:
            row = db.get_one(Case, case)
            audit.record(db, "case_opened_by_staff", actor=audit.Actor.staff(member), now=moment, case=row, purpose="policy")
    with database().reading() as db:
        page = replays.wrong_page(db, chosen.report_id, case)
        values = queries.case_page(db, case, now=moment).fields if shown else None
        left = sum(one.opened_at is None for one in replays.to_open(db, version))
    with force_locale(wording.SOURCE):
        _tell(page, values)
    click.echo(f"noted that you opened it; {left} not opened" if counts else "not counted: you may not propose policies")


def _values_for(db: Session, member: Staff, case_id: UUID) -> bool:
    """Whether she may see at the desk what was typed and read."""
    return review.may_see(db, db.get_one(Case, case_id), member, now=now())


def _tell(page: replays.WrongPage, values: tuple[queries.FieldRow, ...] | None) -> None:
    """Print what the page of a would-be wrong approval shows, and where she may see it what was typed and read."""
    old, new = page.report.against_version, page.report.version
    click.echo(
        f"case {page.wrong.case_id}: {wording.label(page.change_reason, wording.SOURCE)}, {page.finished_at:%Y-%m-%d %H:%M} UTC, "
        f"attempt {page.attempt} of {page.attempts}"
    )
    for answer in page.answers:
        reasons = ", ".join(code.value for code in answer.reasons)
        click.echo(f"a person answered: {answer.action} ({reasons or 'no reason chosen'}), {answer.at:%Y-%m-%d %H:%M} UTC")
    if not page.answers:
        click.echo("no person answered it")
    if page.wrong.answer == "reverted":
        click.echo("the approval was put back later")
    for number, decided in ((old, page.was), (new, page.now)):
        click.echo(f"policy {number}: {_decided(decided)}")
    click.echo(f"measured, and what policy {old} and policy {new} ask for (* differs, + passes, - does not):")
    for row in replay_words.measured(page):
        passed, passes = ("+" if good else "-" for good in (row.passed, row.passes))
        click.echo(f"{'*' if row.moved else ' '} {row.name}: {row.found} | {passed} {row.was} | {passes} {row.now}")
    if values is None:
        click.echo("what was typed and read is for those who may see the case")
        return
    click.echo("on file | typed | read:")
    for line in values:
        name = wording.label(line.field, wording.SOURCE)
        click.echo(f"  {name}: {' | '.join(value or '-' for value in (line.on_file, line.typed, line.read))}")


def _decided(decision: Decision) -> str:
    against = ", ".join(reason.value for reason in decision.reasons)
    return f"{decision.outcome.value} ({against})" if against else decision.outcome.value


@click.command("propose")
@click.argument("version", type=int)
@click.option("--reason", required=True)
@with_appcontext
@acting_as
def policy_propose(version: int, reason: str, acting: UUID) -> None:
    """Let VERSION hold, once it was replayed: at once where it only tightens, else when another person confirms.

    Is it urgent? `flask automation stop` sends everything to people at once, without a replay.
    """
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


COMMANDS = (
    policy_draft,
    policy_look,
    policy_propose,
    policy_confirm,
    policy_withdraw,
    policy_stage,
    policy_rollback,
    policy_status,
)
