"""Commands of the faces' calibration: `flask calibrate`, `flask calibrate propose|confirm|withdraw`.

`webapp.cli` registers them. To look and to try a fit takes nobody; what holds changes by two people with their passwords, as on
the page of operations.
"""

from __future__ import annotations

from datetime import date
from itertools import islice
from uuid import UUID

import click
from flask.cli import AppGroup, with_appcontext

from cases import calibration, policies, quality
from verification.calibration import NEWEST_PAIRS, OWN_EACH, FaceCalibration, TooFewPairs
from verification.evidence import Pair
from webapp.acting import acting_as, person, refusals
from webapp.context import database, now

RARE = 1e-4
"""The rate at which the lines of a fit are printed: 1 stranger in 10,000, which the shipped policy aims at."""


@click.group("calibrate", cls=AppGroup, invoke_without_command=True)
@click.pass_context
@with_appcontext
def calibrate_cli(context: click.Context) -> None:
    """What the faces' scores mean for the own customers; it is never kinder than what the system ships with.

    By itself: what holds, its age and n, errors by group, what waits, and what a fit would give. Changes nothing, opens no photo.
    """
    if context.invoked_subcommand is None:
        _say_status()


def _say_status() -> None:
    with database().reading() as db:
        standing = calibration.standing(db)
        policy = policies.current(db)
        pairs = list(islice(calibration.labelled_pairs(db), NEWEST_PAIRS))
        waits = standing.waiting
        others, compared = calibration.other_models(db)
    made: FaceCalibration | None = None
    lack = ""
    try:
        made = calibration.fitted(pairs, now=now())
    except (TooFewPairs, ValueError) as refused:
        lack = str(refused)
    _say_held(standing, on=now().date())
    if others:
        click.echo(f"look: {others} of the newest {compared} runs were compared by other models: its rates do not hold for them")
    click.echo("")
    _say_groups(calibration.slices(pairs, policy), policy.version)
    click.echo("")
    if waits is not None:
        what = f"calibration {waits.number}" if waits.number else "the shipped calibration"
        click.echo(f"waits for a second person: proposal {waits.id}, {what}, by {waits.proposed_by}: {waits.reason}")
    if made is None:
        click.echo(f"a fit now: {lack}")
    else:
        click.echo("a fit now would give (kept only by: flask calibrate propose --reason … --as …):")
        _say_kinds(made)


def _say_held(standing: calibration.Standing, *, on: date) -> None:
    held, age = standing.holds, standing.age(on)
    click.echo(f"holds: {held.label}, fitted on {held.card['date']}, {age} days old")
    if age > calibration.AGES_AFTER.days:
        click.echo("look: it is older than a year; calibrate anew")
    if standing.own is not None:
        _say_kinds(standing.own)
    if standing.held is not None and standing.held.proposed_by is not None:
        click.echo(f"agreed by {standing.held.proposed_by} and {standing.held.confirmed_by}: {standing.held.reason}")
    if standing.outdated:
        click.echo("look: what was agreed on was fitted on an earlier shipped calibration and no longer holds")


def _say_kinds(made: FaceCalibration) -> None:
    card = made.card
    click.echo(
        f"  {card['pairs']} labelled pairs of {card['people']} customers: {card['genuine_pairs']} of one person, "
        f"{card['impostor_pairs']} of two"
    )
    for pair in Pair:
        table = made.table(pair)
        if table is None:
            continue
        about = card.get("kinds", {}).get(pair.value)
        counts = "all kinds together"
        if about is not None:
            how = "by its own strangers" if about["own"] else f"as all kinds together: fewer than {OWN_EACH} strangers of its own"
            counts = f"{about['genuine_pairs']} and {about['impostor_pairs']}, moved by {about['moved_by']:.2f} {how}"
        click.echo(f"  {pair.value:17} {counts}; 1 in 10,000 at {table.threshold(RARE):.2f}")
    if not made.one_may_decide:
        click.echo("  too few strangers of selfie and passport: a face on file stays necessary")


def _say_groups(found: list[calibration.Slice], version: int) -> None:
    click.echo(
        f"what agents' answers say at the lines of policy {version}, each customer once; Wilson's 95 % interval; fewer than "
        f"{calibration.LEAST_IN_A_GROUP}: not enough"
    )
    click.echo(f"  {'group':14} {'pair':17} {'false non-matches':32} false matches")
    for one in found:
        if one.genuines or one.impostors:
            right, wrong = _rate(one.fnmr, one.genuines), _rate(one.fmr, one.impostors)
            click.echo(f"  {one.group:14} {one.pair.value:17} {right:32} {wrong}")
    if not any(one.genuines or one.impostors for one in found):
        click.echo("  nothing is labelled yet")


def _rate(share: quality.Share | None, n: int) -> str:
    if share is None or share.share is None:
        return f"not enough ({n})"
    return f"{share.found} of {share.n}: {share.share:.2%} ({share.low:.2%} - {share.high:.2%})"


@calibrate_cli.command("propose")
@click.option("--shipped", is_flag=True, help="Not a fit: the shipped calibration is to hold again.")
@click.option("--reason", required=True, help="Why; kept for everybody to read.")
@acting_as
def calibrate_propose(shipped: bool, reason: str, acting: UUID) -> None:
    """Fit on the cases that agents decided and propose that it holds, from the next run after a second person confirmed."""
    made = None
    if not shipped:
        with refusals(), database().reading() as db:
            try:
                made = calibration.fit(db, now=now())
            except TooFewPairs as few:
                raise click.ClickException(f"{few}. Nothing was changed.") from None
    with refusals(), database().transaction() as db:
        number = calibration.propose(db, made, by=person(db, acting), reason=reason, now=now()).id
    if made is not None:
        _say_kinds(made)
    _say_effects(made)
    click.echo(f"proposed as {number}: it decides nothing before a second person: flask calibrate confirm {number} --as …")


@calibrate_cli.command("confirm")
@click.argument("number", type=int)
@click.option("--yes", is_flag=True, help="Do not ask again.")
@acting_as
def calibrate_confirm(number: int, yes: bool, acting: UUID) -> None:
    """Let the proposal NUMBER hold from the next run on, as the second person. Says before what it would do."""
    with refusals():
        with database().reading() as db:
            waits = calibration.waiting(db)
        if waits is not None and waits.id == number:
            click.echo(f"{waits.proposed_by} proposed: {waits.reason}")
            if waits.calibration is not None:
                _say_kinds(waits.calibration)
            if not waits.outdated:
                _say_effects(waits.calibration)
            if not yes:
                click.confirm("Let it hold from the next run on?", abort=True)
        with database().transaction() as db:
            calibration.confirm(db, number, by=person(db, acting), now=now())
    click.echo("confirmed: it holds from the next run on")


@calibrate_cli.command("withdraw")
@click.argument("number", type=int)
@acting_as
def calibrate_withdraw(number: int, acting: UUID) -> None:
    """Close the proposal NUMBER, which nobody confirmed."""
    with refusals(), database().transaction() as db:
        calibration.withdraw(db, number, by=person(db, acting), now=now())
    click.echo("withdrawn")


def _say_effects(other: FaceCalibration | None) -> None:
    with database().reading() as db:
        found = calibration.effects(db, other)
    click.echo("it rates strangers at least as high as what holds, at every score" if found.never_kinder else
               "look: at some scores it rates strangers lower than what holds")  # fmt: skip
    click.echo(f"of the newest {found.runs} runs under policy {found.policy}:" + ("" if found.flows else " nothing differs"))
    for (was, then), count in sorted(found.flows.items(), key=lambda flow: -flow[1]):
        click.echo(f"{count:9}  {was.value} -> {then.value}")
    if found.one_may_decide:
        click.echo(
            "look: from then on the passport alone may decide where the policy asks for no face on file; of these runs "
            f"{found.without_face_on_file} went to a person for that alone"
        )
