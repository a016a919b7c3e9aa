"""Commands of webhooks: `flask webhook list|add|switch|rotate|remove|test|deliveries|replay`. `webapp.cli` registers them.

They act as the system, like every command of whoever can log in to the machine; the trail says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import NoResultFound

from cases import webhooks
from webapp.context import database, now

webhook_cli = AppGroup("webhook", help="Endpoints of the host system and what was delivered to them.")


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what the rules refuse into one sentence and exit code 1."""
    try:
        yield
    except NoResultFound:
        raise click.ClickException("there is nothing of this id. Nothing was changed.") from None
    except webhooks.BadEndpoint as bad:
        raise click.ClickException(f"{bad}. Nothing was changed.") from None
    except webhooks.EndpointDisabled:
        raise click.ClickException("this endpoint is off: flask webhook switch ID on. Nothing was changed.") from None
    except webhooks.StillWaiting:
        raise click.ClickException("this delivery is still being tried. Nothing was changed.") from None


@webhook_cli.command("list")
@with_appcontext
def list_endpoints() -> None:
    """Print every endpoint and how its deliveries of the last 24 hours went."""
    moment = now()
    with database().reading() as db:
        found = webhooks.endpoints(db, by=None, limit=2 * webhooks.MOST_ENDPOINTS)
        health = webhooks.health(db, [one.id for one in found], now=moment)
        for one in found:
            state = "on" if one.enabled else f"off ({one.disabled_why})"
            told = health[one.id]
            share = "-" if told.share is None else f"{told.share:.1%}"
            click.echo(f"{one.id}  {one.mode:4}  {state:14}  {share:>6}  {told.last_code or '-':20}  {one.url}")
            if set(one.kinds) != set(webhooks.KINDS):
                click.echo(f"    only {', '.join(one.kinds)}")
        if not found:
            click.echo("no endpoint")


@webhook_cli.command("add")
@click.argument("url")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(webhooks.KINDS), help="May be repeated; none: all.")
@click.option("--test", is_flag=True, help="Hears of sandbox customers alone.")
@with_appcontext
def add(url: str, kinds: tuple[str, ...], test: bool) -> None:
    """Add an endpoint at URL and print its secret, this once."""
    with _refusals(), database().transaction() as db:
        made, secret = webhooks.create(
            db, url=url, kinds=kinds or webhooks.KINDS, mode="test" if test else "live", by=None, now=now()
        )
        endpoint_id = made.id
    click.echo(f"endpoint {endpoint_id}\nsecret   {secret}")


@webhook_cli.command("switch")
@click.argument("endpoint_id", type=click.UUID)
@click.argument("how", type=click.Choice(("on", "off")))
@with_appcontext
def switch(endpoint_id: UUID, how: str) -> None:
    """Switch an endpoint on or off. What it is owed when it goes off is given up, and can be replayed."""
    with _refusals(), database().transaction() as db:
        webhooks.change(db, endpoint_id, by=None, now=now(), enabled=how == "on")
    click.echo(how)


@webhook_cli.command("rotate")
@click.argument("endpoint_id", type=click.UUID)
@click.option("--hours", default=24, show_default=True, type=click.IntRange(0, 168), help="How long the old one signs as well.")
@with_appcontext
def rotate(endpoint_id: UUID, hours: int) -> None:
    """Give an endpoint a new secret and print it, this once."""
    with _refusals(), database().transaction() as db:
        secret = webhooks.rotate(db, endpoint_id, by=None, now=now(), overlap=timedelta(hours=hours))
    click.echo(f"secret   {secret}")


@webhook_cli.command("remove")
@click.argument("endpoint_id", type=click.UUID)
@with_appcontext
def remove(endpoint_id: UUID) -> None:
    """Take an endpoint away for good, and shred its secrets."""
    with _refusals(), database().transaction() as db:
        webhooks.remove(db, endpoint_id, by=None, now=now())
    click.echo("removed")


@webhook_cli.command("test")
@click.argument("endpoint_id", type=click.UUID)
@with_appcontext
def test(endpoint_id: UUID) -> None:
    """Send a test event; `flask webhook deliveries` shows how it went."""
    with _refusals(), database().transaction() as db:
        delivery_id = webhooks.send_test(db, endpoint_id, by=None, now=now()).id
    click.echo(f"delivery {delivery_id}")


@webhook_cli.command("deliveries")
@click.option("--outcome", type=click.Choice(tuple(webhooks.OUTCOMES)), help="Only these.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@with_appcontext
def deliveries(outcome: str | None, limit: int) -> None:
    """Print the newest deliveries."""
    with database().reading() as db:
        for one in webhooks.deliveries(db, by=None, outcome=outcome, limit=limit):
            why = one.last_code or "-"
            click.echo(f"{one.created_at:%Y-%m-%d %H:%M:%S}  {one.id}  {one.kind:18}  {one.outcome:9}  {one.tries:2}  {why}")


@webhook_cli.command("replay")
@click.argument("thing_id", type=click.UUID)
@click.option("--hours", type=click.IntRange(1, 720), help="THING_ID is an endpoint: all that failed in this time.")
@with_appcontext
def replay(thing_id: UUID, hours: int | None) -> None:
    """Send one delivery again or, with --hours, everything that failed for one endpoint."""
    moment = now()
    with _refusals(), database().transaction() as db:
        if hours is None:
            webhooks.replay(db, thing_id, by=None, now=moment)
            count = 1
        else:
            count = webhooks.replay_failed(db, thing_id, since=moment - timedelta(hours=hours), by=None, now=moment)
    click.echo(f"{count} sent again")
