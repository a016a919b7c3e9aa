"""Commands of those who run the system, `flask --app webapp.app …`: seed, staff, audit, policy, faces, specimens."""

from __future__ import annotations

import json
import os
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cases import (
    audit,
    audit_export,
    conflicts,
    duplicates,
    policies,
    practice,
    quality,
    queue,
    sso,
    staff,
    switches,
)
from cases.models import Customer, Role, Staff
from cases.settings import Mode, Settings
from cases.wording import LANGUAGES
from webapp.context import database, now, settings

LOGINS = "demo-logins.txt"

DEMO_STAFF = (
    ("agent@peremena.test", "Support agent", (Role.AGENT,)),
    ("senior@peremena.test", "Senior agent", (Role.SENIOR_AGENT,)),
    ("ops@peremena.test", "Operations", (Role.OPS,)),
    ("lead@peremena.test", "Team lead", (Role.LEAD, Role.OPS)),
    ("admin@peremena.test", "Administrator", (Role.ADMIN,)),
)
"""Two may tune policies, so that loosening one can be tried out."""


def init_app(app: Flask) -> None:
    """Register the commands."""
    from webapp.automation_commands import automation_cli
    from webapp.calibrate_commands import calibrate_cli
    from webapp.hook_commands import webhook_cli
    from webapp.key_commands import api_key_cli
    from webapp.ops_commands import policy_pack, policy_replay, undo_cli
    from webapp.policy_commands import COMMANDS
    from webapp.privacy_commands import COMMANDS as PRIVACY

    for command in (
        seed,
        staff_cli,
        audit_cli,
        policy_cli,
        calibrate_cli,
        faces_cli,
        specimens_cli,
        undo_cli,
        automation_cli,
        api_key_cli,
    ):
        app.cli.add_command(command)
    app.cli.add_command(webhook_cli)
    for command in PRIVACY:
        app.cli.add_command(command)
    for command in (policy_replay, policy_pack, *COMMANDS):
        policy_cli.add_command(command)


@click.command("seed")
@with_appcontext
def seed() -> None:
    """Make demo people and, for the real workers to decide, one case of each outcome. Does nothing twice."""
    if settings().mode is not Mode.DEMO:
        raise click.ClickException("seed runs with MODE=demo only: it makes people up.")
    made = seed_staff(settings())
    click.echo(f"staff: {made} added")
    from webapp.key_commands import seed_key

    click.echo(f"API key: {int(seed_key())} added")
    try:
        from webapp import demo, demo_history

        with database().transaction() as db:
            past = demo_history.seed(db, now=now())
        click.echo(f"history: {past} requests")
    except ImportError as missing:
        click.echo(f"customers: none, because {missing.name} is not installed", err=True)
        return
    added, sent = demo.seed_customers(database(), now=now())
    click.echo(f"customers: {added} added, {sent} requests sent")


def seed_staff(config: Settings) -> int:
    """Add the demo's staff with random passwords, and write those to a file only the owner may read. Returns how many."""
    from webapp.security import hash_password, new_second_factor

    lines = []
    with database().transaction() as db:
        for email, name, roles in DEMO_STAFF:
            if db.scalar(select(Staff.id).where(Staff.email == email)):
                continue
            password = secrets.token_urlsafe(12)
            stored, key = new_second_factor(config)
            person = staff.create(db, email=email, name=name, password_hash=hash_password(password), roles=roles, now=now())
            person.tf_primary_method, person.tf_totp_secret = "authenticator", stored
            lines.append(f"{email:24} password {password}  authenticator key {key}")
    if lines:
        place = Path(config.data_dir) / LOGINS
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
    return len(lines)


staff_cli = AppGroup("staff", help="People who work here.")


@staff_cli.command("add")
@click.argument("email")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([r.value for r in Role]),
    help="May be given several times.",
)
@click.option("--experienced", is_flag=True, help="A support agent who needs no practice: live cases from the first day.")
def staff_add(email: str, name: str, roles: tuple[str, ...], experienced: bool) -> None:
    """Add EMAIL with a random password, printed once; the second factor is set up at the first log-in.

    A support agent begins with practice on specimen cases, unless --experienced.
    """
    from webapp.security import hash_password

    password = secrets.token_urlsafe(15)
    with database().transaction() as db:
        if db.scalar(select(func.count()).select_from(Staff).where(Staff.email == email.strip().lower())):
            raise click.ClickException("this e-mail address is taken")
        held = [Role(r) for r in roles]
        person = staff.create(db, email=email, name=name, password_hash=hash_password(password), roles=held, now=now())
        if practice.begins_with_practice(held) and not experienced:
            practice.begin(db, person, actor=audit.SYSTEM, now=now())
    click.echo(password)


@staff_cli.command("close")
@click.argument("email")
def staff_close(email: str) -> None:
    """Close the account of EMAIL: every session ends, nobody signs in with it again."""
    with database().transaction() as db:
        staff.change(db, _member(db, email), active=False, now=now(), actor=audit.SYSTEM)
    click.echo("closed")


@staff_cli.command("reset")
@click.argument("email")
def staff_reset(email: str) -> None:
    """Give EMAIL a random password, printed once, and forget the second factor and passkeys; every session ends."""
    from webapp.security import hash_password

    password = secrets.token_urlsafe(15)
    with database().transaction() as db:
        person = _member(db, email)
        if not person.active:
            raise click.ClickException("this account is closed")
        staff.reset(db, person, password_hash=hash_password(password), now=now())
    click.echo(password)


@staff_cli.command("link")
@click.argument("email")
@click.argument("subject")
def staff_link(email: str, subject: str) -> None:
    """Say that EMAIL is SUBJECT (the claim "sub") at the identity provider: where that does not confirm e-mail addresses."""
    if not settings().oidc_issuer:
        raise click.ClickException("there is no provider: OIDC_ISSUER is not set")
    try:
        with database().transaction() as db:
            about = {"issuer": settings().oidc_issuer, "subject": subject, "method": "command"}
            sso.link(db, _member(db, email), **about, actor=audit.SYSTEM, now=now())
    except IntegrityError:
        raise click.ClickException("one of them is linked already: unlink that first. Nothing was changed.") from None
    click.echo("linked")


@staff_cli.command("unlink")
@click.argument("email")
def staff_unlink(email: str) -> None:
    """Forget who EMAIL is at the identity provider; every session ends. The next sign-in there may tie her anew."""
    with database().transaction() as db:
        done = sso.unlink(db, _member(db, email), actor=audit.SYSTEM, now=now())
    click.echo("unlinked" if done else "was not linked")


@staff_cli.command("skills")
@click.argument("email")
@click.option("--language", "languages", multiple=True, type=click.Choice(list(LANGUAGES)), help="May be given several times.")
@click.option("--country", "countries", multiple=True, metavar="CODE", help="Three letters, such as KAZ; several times.")
@click.option("--high-risk/--no-high-risk", default=True, show_default=True)
def staff_skills(email: str, languages: tuple[str, ...], countries: tuple[str, ...], high_risk: bool) -> None:
    """Say which cases "next case" gives to EMAIL. What is not named is not limited: no option at all means all cases."""
    codes = frozenset(code.upper() for code in countries)
    wrong = sorted(code for code in codes if len(code) != 3 or not code.isascii() or not code.isalpha())
    if wrong:
        raise click.ClickException(
            f"no country has the code {', '.join(wrong)}: three letters, such as KAZ. Nothing was changed."
        )
    told = queue.Skills(languages=frozenset(languages), countries=codes, high_risk=high_risk)
    with database().transaction() as db:
        queue.set_skills(db, _member(db, email), told, actor=audit.SYSTEM, by=None, now=now())
    parts = (", ".join(sorted(told.languages)) or "all", ", ".join(sorted(codes)) or "all", "yes" if high_risk else "no")
    click.echo("languages: {}; countries: {}; high risk: {}".format(*parts))


@staff_cli.command("account")
@click.argument("email")
@click.argument("customer")
@click.option("--not-hers", is_flag=True, help="It was a mistake.")
def staff_account(email: str, customer: str, not_hers: bool) -> None:
    """Write down that CUSTOMER, the host system's id, is the own account of EMAIL: its cases, and what shares its passport,
    address or face, never come to her.
    """
    with database().transaction() as db:
        account = db.scalars(select(Customer).where(Customer.external_id == customer)).one_or_none()
        if account is None:
            raise click.ClickException("no customer has this id")
        change = conflicts.unsay if not_hers else conflicts.say
        change(db, _member(db, email), account, actor=audit.SYSTEM, now=now())
    click.echo("not hers" if not_hers else "hers")


def _member(db: Session, email: str) -> Staff:
    person = db.scalars(select(Staff).where(Staff.email == email.strip().lower()).with_for_update()).one_or_none()
    if person is None:
        raise click.ClickException("nobody here has this e-mail address")
    return person


@staff_cli.command("code")
@click.argument("email")
def staff_code(email: str) -> None:
    """Print the one-time code that holds now for EMAIL. Demo only: anywhere else it lives on a phone."""
    from webapp.security import current_code

    if settings().mode is not Mode.DEMO:
        raise click.ClickException("codes are printed with MODE=demo only.")
    with database().reading() as db:
        stored = db.scalar(select(Staff.tf_totp_secret).where(Staff.email == email.strip().lower()))
    if stored is None:
        raise click.ClickException("nobody of that address has a second factor")
    click.echo(current_code(settings(), stored))


audit_cli = AppGroup("audit", help="The audit trail.")


@audit_cli.command("verify")
@click.option(
    "--anchors", type=click.Path(exists=True, path_type=Path), help="Folder or file with anchors kept off the database."
)
def audit_verify(anchors: Path | None) -> None:
    """Check the chain of events. Exit code 1 when it is broken. Changes nothing."""
    with database().reading() as db:
        verdict = audit.verify(db, anchors=anchors)
    click.echo(json.dumps({"ok": verdict.ok, "count": verdict.count, "broken_at": verdict.broken_at, "why": verdict.why}))
    if not verdict.ok:
        sys.exit(1)


@audit_cli.command("anchor")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def audit_anchor(folder: Path) -> None:
    """Write the head of the chain to FOLDER, which should not be on the database's machine."""
    with database().transaction() as db:
        click.echo(audit.anchor(db, folder, now=now()))


@audit_cli.command("export")
@click.option("--since", required=True, type=click.DateTime(["%Y-%m-%d"]), help="First day, in UTC.")
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="Last day, in UTC; it is included.")
@click.option("--to", "folder", default=".", type=click.Path(file_okay=False, exists=True, path_type=Path), help="Where to.")
def audit_export_files(since: datetime, until: datetime, folder: Path) -> None:
    """Write the trail of some days as CSV, with a statement and its signature beside it. Overwrites no file."""
    begins, ends = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC) + timedelta(days=1)
    file = folder / f"audit-{since:%Y-%m-%d}-{until:%Y-%m-%d}.csv"
    try:
        with file.open("xb") as out, database().reading() as db:
            made = audit_export.write(db, out, since=begins, until=ends, now=now())
        for ending, data in ((audit_export.STATEMENT, made.statement), (audit_export.SIGNATURE, made.signature)):
            with file.with_name(file.name + ending).open("xb") as out:
                out.write(data)
    except FileExistsError as taken:
        raise click.ClickException(f"{taken.filename} is there already") from None
    except ValueError:
        file.unlink()
        raise click.ClickException("the last day comes before the first") from None
    with database().transaction() as db:
        audit_export.note(db, made, actor=audit.SYSTEM, since=begins, until=ends, now=now())
    click.echo(f"{made.rows} events in {file}")


@audit_cli.command("public-key")
def audit_public_key() -> None:
    """Print the key that exports are checked with, for auditors; the last line is its fingerprint. Changes nothing."""
    with database().reading() as db:
        key = audit_export.public_key(db)
    click.echo(audit_export.pem(key).decode() + f"fingerprint {audit_export.fingerprint(key)}")


@audit_cli.command("check-export")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", type=click.File("rb"), help="The public key as PEM; without it the one of this installation.")
def audit_check_export(file: Path, key: BinaryIO | None) -> None:
    """Say whether FILE, a CSV with statement and signature beside it, is what was exported. Exit code 1 when not."""
    try:
        if key is None:
            with database().reading() as db:
                told = audit_export.check(file, audit_export.public_key(db))
        else:
            told = audit_export.check(file, audit_export.read_key(key.read()))
    except (audit_export.NotGenuine, ValueError) as wrong:
        raise click.ClickException(str(wrong)) from None
    click.echo("genuine: " + ", ".join(f"{name} {value}" for name, value in told.items()))


faces_cli = AppGroup("faces", help="Encodings of faces that are kept to find the same face in other accounts.")


@faces_cli.command("forget")
@click.option("--customer", metavar="ID", help="Only of this customer, by the host system's own id.")
@click.confirmation_option(prompt="Delete them? Cases and photos stay.")
@with_appcontext
def faces_forget(customer: str | None) -> None:
    """Delete the encodings kept of everybody, for the day FACE_DUPLICATES goes off, or of one customer. Touches no photo."""
    with database().transaction() as db:
        if customer is None:
            count = duplicates.forget_all(db)
        else:
            whose = db.scalar(select(Customer).where(Customer.external_id == customer))
            if whose is None:
                raise click.ClickException("There is no customer of this id. Nothing was changed.")
            count = duplicates.forget_person(db, whose.id)
        audit.record(db, "faces_forgotten", actor=audit.SYSTEM, now=now(), count=count)
    click.echo(f"{count} forgotten")


policy_cli = AppGroup("policy", help="Thresholds by which the machine decides.")


@policy_cli.command("list")
def policy_list() -> None:
    """Print every version, newest first, and which one holds. Changes nothing."""
    with database().reading() as db:
        to_people = switches.everything_to_people(db)
        for row in policies.versions(db):
            click.echo(f"{row.version:5} {'holds' if row.active else '     '}  {row.created_at:%Y-%m-%d %H:%M}  {row.reason}")
    click.echo("everything goes to people" if to_people else "automatic decisions are on")


specimens_cli = AppGroup("specimens", help="Cases of nobody whose answer is known.")


@specimens_cli.command("plant")
@click.option("--count", default=quality.SPECIMENS_A_MONTH, show_default=True, type=click.IntRange(1, 100), help="How many.")
def specimens_plant(count: int) -> None:
    """Put specimens among the answers to be reviewed. Upkeep plants some every month by itself; no live case is touched."""
    with database().transaction() as db:
        planted = quality.plant(db, count=count, now=now())
    click.echo(f"{planted} planted")
