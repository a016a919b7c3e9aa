"""Commands in somebody's name: `--as EMAIL`, and that person's password, so that two people are two people here too.

Tries are counted with those of the log-in, and a refusal stands in the trail like one of the log-in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from uuid import UUID

import click
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from cases import audit, policies, throttles
from cases.models import Staff
from cases.staff import NotAllowed
from webapp import security
from webapp.context import database, now


def acting_as(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--as EMAIL` to a command, ask for the password, and pass the person's id as `acting`."""

    @click.option("--as", "acting_email", metavar="EMAIL", required=True, help="Who does this. The password is asked for.")
    @wraps(command)
    def asked(*args: Any, acting_email: str, **kwargs: Any) -> Any:
        return command(*args, acting=identify(acting_email), **kwargs)

    return asked


def identify(email: str) -> UUID:
    """Ask for the password of `email` without showing it; returns the person's id. Raises ClickException."""
    account = security.normal_email(email)
    password: str = click.prompt(f"Password of {account}", hide_input=True)
    with database().transaction() as db:
        in_time = throttles.hit(db, "staff account", account, limit=security.TRIES, window=security.WINDOW, now=now())
    if not in_time:
        minutes = round(security.WINDOW.total_seconds() / 60)
        raise click.ClickException(f"too many tries: wait {minutes} minutes. Nothing was changed.")
    with database().reading() as db:
        found = db.scalars(select(Staff).where(Staff.email == account)).one_or_none()
        held = found.password if found is not None and found.active else None
        who = found.id if found is not None else None
    right = security.password_fits(held, password)
    with database().transaction() as db:
        if right and who is not None:
            throttles.give_back(db, "staff account", account, window=security.WINDOW, now=now(), everything=True)
            return who
        actor = audit.Actor(kind="staff", id=str(who)) if who is not None else audit.SYSTEM
        audit.record(db, "staff_sign_in_refused", actor=actor, now=now(), why="password")
    raise click.ClickException("the password is wrong, or nobody of this address works here. Nothing was changed.")


def person(db: Session, acting: UUID) -> Staff:
    """The row of who acts, in the caller's transaction. Raises ClickException when the account was closed meanwhile."""
    found = db.get(Staff, acting)
    if found is None or not found.active:
        raise click.ClickException("this account is closed. Nothing was changed.")
    return found


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the rules refuse into one sentence and exit code 1."""
    try:
        yield
    except NotAllowed as refused:
        raise click.ClickException(f"not allowed: {refused}. Nothing was changed.") from None
    except policies.SamePerson as refused:
        raise click.ClickException(f"{refused}. Nothing was changed.") from None
    except policies.Outdated as refused:
        raise click.ClickException(f"{refused}. Nothing was changed.") from None
    except NoResultFound:
        raise click.ClickException("there is nothing of this number. Nothing was changed.") from None
    except ValueError as refused:
        raise click.ClickException(f"{refused}. Nothing was changed.") from None
