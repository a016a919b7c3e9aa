"""What a deployment sets, read once from the environment. Refuses to start with one clear sentence.

Outside production the secrets are made at first start and kept in `DATA_DIR/secrets`, readable by the owner only.
"""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Mode(StrEnum):
    """How much the system makes up for itself."""

    DEVELOPMENT = "development"
    DEMO = "demo"  # development, with personas that anyone at the machine may play
    PRODUCTION = "production"


class SettingsError(Exception):
    """A setting is missing or wrong; the text says which and what to do."""


class Settings(BaseSettings):
    """Frozen settings. Each one may come from the environment or, for secrets, from a file (`NAME_FILE`)."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    mode: Mode = Field(Mode.DEVELOPMENT, description="development, demo or production")
    data_dir: Path = Field(Path("var"), description="folder for what the system keeps when no server is named")
    database_url: str = Field("", description="SQLAlchemy address; empty = SQLite in DATA_DIR")
    redis_url: str = Field("", description="redis://, rediss:// or unix://; empty = embedded Valkey in DATA_DIR")
    storage_url: str = Field("", description="file:///folder or s3://bucket/prefix?endpoint=...; empty = DATA_DIR/photos")
    secret_key: str = Field("", description="signs sessions and links; at least 32 characters")
    master_keys: str = Field("", description="photo keys as 'version:hex64', newest last, separated by commas")
    audit_key: str = Field("", description="key of the audit chain; at least 32 characters")
    portal_url: str = Field("", description="address of the portal as customers see it, for links in mails")
    staff_url: str = Field("", description="address of desk and ops as staff see it")
    bind: str = Field("127.0.0.1", description="address the servers listen on")
    proxy_hops: int = Field(0, ge=0, le=5, description="reverse proxies in front whose X-Forwarded headers are believed")
    portal_port: int = Field(8000, ge=1, le=65535)
    staff_port: int = Field(8001, ge=1, le=65535)
    api_port: int = Field(8002, ge=1, le=65535)
    api_url: str = Field("", description="address of the API as the host system sees it, for its documentation")
    api_per_minute: int = Field(600, ge=1, le=100_000, description="requests that one API key may make in a minute")
    verify_workers: int = Field(1, ge=1, le=64, description="verify workers that the runner starts")
    mail_url: str = Field("", description="smtp://user:password@server:port; empty = mails become files in DATA_DIR/mail")
    mail_from: str = Field("Peremena <no-reply@localhost>", description="sender of mails")
    default_locale: str = Field("ru", description="language when the host system names none")
    lease_seconds: int = Field(90, ge=2, le=3600, description="a run that has not finished by then is taken back")
    max_runs: int = Field(3, ge=1, le=20, description="runs of one submission before it goes to the desk as a technical referral")
    reconcile_seconds: float = Field(2.0, ge=0.1, le=60, description="how often upkeep looks for lost work")
    draft_days: int = Field(14, ge=1, description="a draft or a retake not sent by then expires")
    photo_days: int = Field(30, ge=0, description="photos and readings are shredded this long after the case closed")
    review_hours: int = Field(24, ge=1, description="how soon a person answers, as told to the customer")
    face_duplicates: bool = Field(
        False, description="keep sealed encodings of selfies and show agents the same face in other accounts; a register of faces"
    )
    biometrics: bool = Field(True, description="machines compare faces; off = none is encoded or compared, agents do it by eye")
    watch_days: int = Field(90, ge=0, description="a person decides an account's next cases for this long after a refusal")
    undo_days: int = Field(14, ge=0, description="“this was not me” takes a change back at once for this long after it was made")
    claim_minutes: int = Field(10, ge=1, description="a case taken by an agent is free again after this long without a sign")

    undo_seconds: int = Field(
        20, ge=0, le=600, description="an agent may take back what she sends so long; none of it leaves before"
    )
    max_open_cases: int = Field(15, ge=1, le=1000, description="cases that an agent may hold at a time")
    free_choice: bool | None = Field(
        None, description="agents may choose their cases; false = only “next case” gives them any; empty = false in production"
    )

    ramp_hours: float = Field(24, ge=0, le=24 * 30, description="a loosened policy stays at each step at least this long")
    ramp_runs: int = Field(300, ge=0, description="runs it must have been weighed on in shadow; a tenth at 5 %, a third at 25 %")
    halt_approvals_per_hour: int = Field(1000, ge=0, description="automatic approvals of an hour above which they stop")
    halt_error_budget: float = Field(
        0.03, ge=0, le=1, description="share of automatic approvals that another person may judge otherwise before they stop"
    )
    halt_failed_share: float = Field(0.2, ge=0, le=1, description="share of runs that may fail in an hour before approvals stop")
    halt_overdue: int = Field(200, ge=0, description="referred cases that may be late before automatic approvals stop")

    quality_answers: float = Field(0.05, ge=0, le=1, description="share of agents' answers given again by another person, blind")
    quality_approvals: float = Field(0.02, ge=0, le=1, description="share of automatic approvals a person looks at afterwards")

    hooks_allow_private: bool | None = Field(
        None, description="webhooks may go to private addresses, by http and to any port; empty = outside production; never in it"
    )
    hooks_ports: str = Field("", description="ports that webhooks may go to beside 443, separated by commas")
    hooks_ca: Path | None = Field(None, description="file of certificate authorities that webhooks believe beside the system's")

    tombstones: Path | None = Field(
        None, description="folder of the file of who was erased; empty = DATA_DIR/tombstones; another disk in production"
    )
    master_key_version: int = Field(0, ge=0, description="which master key wraps new data keys; 0 = that of the largest version")
    mail_days: int = Field(180, ge=1, description="to which address a mail went is forgotten this long after it was sent")

    time_zone: str = Field("Europe/Moscow", description="by its clocks weeks begin, and Monday's report is made at 06:00")

    helpdesk_url: str = Field("", description="where tickets about referred cases are posted as JSON; empty = nowhere")
    helpdesk_secret: str = Field("", description="whsec_...: signs what is posted to HELPDESK_URL, as webhooks are")
    helpdesk_template: Path | None = Field(None, description="JSON file that says what the body looks like; empty = our own form")
    helpdesk_mail: str = Field("", description="address of the helpdesk that makes tickets of mails; empty = no mails")
    helpdesk_from: str = Field("", description="sender of these mails, known to the helpdesk; none that says no-reply")
    helpdesk_locale: str = Field("", description="language of tickets; empty = DEFAULT_LOCALE")

    metrics_token: str = Field("", description="bearer token of /metrics, at least 20 characters; empty = no figures for anybody")

    oidc_issuer: str = Field("", description="address of the identity provider of staff; empty = staff sign in here alone")
    oidc_client_id: str = Field("", description="what the provider calls this system")
    oidc_client_secret: str = Field("", description="secret of this system at the provider")
    oidc_name: str = Field("", max_length=40, description="word on the button, such as the company's name; empty = a general one")
    oidc_claim: str = Field("groups", description="where the ID token names her groups; dots lead inwards: realm_access.roles")
    oidc_roles: str = Field("", description="role of each group: 'group=role;group=role'; empty = roles are given here alone")
    oidc_join: bool = Field(
        False, description="who is unknown here and has a group of OIDC_ROLES gets an account when she first comes"
    )
    oidc_required: bool = Field(False, description="everybody signs in at the provider, save those of OIDC_BREAK_GLASS")
    oidc_break_glass: str = Field("", description="work e-mails that may sign in here when OIDC_REQUIRED is on, by commas")
    oidc_acr: str = Field("", description="values of acr that mean two factors, by commas; the token must have one of them")
    oidc_amr: str = Field("", description="values of amr that mean two factors, by commas; the token must have one of them")

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Raises SettingsError naming every wrong variable at once."""
        if os.environ.get("HIDE_OPINION", "").strip().lower() not in ("", "0", "false", "off", "no"):
            raise SettingsError(  # let pass, it would show what it hid until now
                "HIDE_OPINION is part of the policy now: take it out of the environment and let a version hold that has it "
                "(flask policy draft hide_opinion=true)."
            )
        given: dict[str, Any] = {}
        secret = ("secret_key", "master_keys", "audit_key", "metrics_token", "oidc_client_secret", "helpdesk_secret")
        for name in (*secret, "database_url", "redis_url", "storage_url", "mail_url"):
            file = os.environ.get(f"{name.upper()}_FILE")
            if file:
                try:
                    given[name] = Path(file).read_text().strip()
                except OSError as error:
                    raise SettingsError(f"{name.upper()}_FILE cannot be read: {error.strerror}") from None
        try:
            settings = cls(**given)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors())
            raise SettingsError(f"Settings are wrong: {wrong}.") from None
        return settings.completed()

    def completed(self) -> Self:
        """Fill in what development may make up; in production everything must have been given."""
        if self.face_duplicates and not self.biometrics:
            raise SettingsError("FACE_DUPLICATES=on needs BIOMETRICS=on: it compares faces.")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise SettingsError(f"TIME_ZONE={self.time_zone} is unknown: a name such as Europe/Moscow is needed.") from None
        if self.metrics_token and len(self.metrics_token) < 20:
            raise SettingsError("METRICS_TOKEN is shorter than 20 characters.")
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_client_secret):
            raise SettingsError("OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET: the provider knows us by them.")
        if self.oidc_issuer and self.mode is Mode.PRODUCTION and not self.oidc_issuer.startswith("https://"):
            raise SettingsError("OIDC_ISSUER must begin with https:// in production: sign-ins travel over it.")
        if self.oidc_required and not self.oidc_issuer:
            raise SettingsError("OIDC_REQUIRED=on needs OIDC_ISSUER: nobody could sign in.")
        if self.oidc_join and not self.oidc_roles:
            raise SettingsError("OIDC_JOIN=on needs OIDC_ROLES: it says which role a new account gets.")
        self._check_helpdesk()
        if not all(1 <= port <= 65535 for port in self.hook_ports):
            raise SettingsError("HOOKS_PORTS must be numbers from 1 to 65535, separated by commas.")
        if self.hooks_ca is not None and not self.hooks_ca.is_file():
            raise SettingsError("HOOKS_CA names no file.")
        if self.mode is Mode.PRODUCTION:
            if self.hooks_allow_private:
                raise SettingsError("HOOKS_ALLOW_PRIVATE is for development: in production webhooks go to public addresses only.")
            missing = [
                name.upper()
                for name in (
                    "database_url",
                    "redis_url",
                    "storage_url",
                    "secret_key",
                    "master_keys",
                    "audit_key",
                    "portal_url",
                    "staff_url",
                    "mail_url",
                )
                if not getattr(self, name)
            ]
            if missing:
                raise SettingsError(f"MODE=production needs {', '.join(missing)}.")
            for name in ("secret_key", "audit_key"):
                if len(getattr(self, name)) < 32:
                    raise SettingsError(f"{name.upper()} is shorter than 32 characters.")
            for name in ("portal_url", "staff_url"):
                if not getattr(self, name).lower().startswith("https://"):
                    raise SettingsError(f"{name.upper()} must begin with https:// in production: sessions travel over it.")
            if self.api_url and not self.api_url.lower().startswith("https://"):
                raise SettingsError("API_URL must begin with https:// in production: keys travel over it.")
            return self
        folder = self.data_dir.resolve()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shown = "localhost" if self.bind in ("0.0.0.0", "::") else self.bind
        return self.model_copy(
            update={
                "data_dir": folder,
                "database_url": self.database_url or f"sqlite:///{folder / 'peremena.db'}",
                "redis_url": self.redis_url or f"unix://{folder / 'run' / 'valkey.sock'}",
                "storage_url": self.storage_url or f"file://{folder / 'photos'}",
                "secret_key": self.secret_key or _kept(folder, "secret_key", secrets.token_hex(32)),
                "audit_key": self.audit_key or _kept(folder, "audit_key", secrets.token_hex(32)),
                "master_keys": self.master_keys or _kept(folder, "master_keys", f"1:{secrets.token_hex(32)}"),
                "portal_url": self.portal_url or f"http://{shown}:{self.portal_port}",
                "staff_url": self.staff_url or f"http://{shown}:{self.staff_port}",
                "api_url": self.api_url or f"http://{shown}:{self.api_port}",
            }
        )

    def _check_helpdesk(self) -> None:
        """Raises SettingsError."""
        if self.helpdesk_url and not self.helpdesk_secret.startswith("whsec_"):
            raise SettingsError("HELPDESK_URL needs HELPDESK_SECRET, beginning with whsec_: tickets are signed.")
        if self.helpdesk_template is not None and not self.helpdesk_template.is_file():
            raise SettingsError("HELPDESK_TEMPLATE names no file.")
        if self.helpdesk_mail:
            sender = self.helpdesk_from.lower().replace("-", "").replace("_", "")
            if "@" not in sender or "noreply" in sender:
                raise SettingsError("HELPDESK_MAIL needs HELPDESK_FROM, and helpdesks put mails from no-reply addresses aside.")

    @cached_property
    def keyring(self) -> dict[int, bytes]:
        """Master keys by version, 32 bytes each. Raises SettingsError."""
        ring: dict[int, bytes] = {}
        for part in self.master_keys.split(","):
            version, _, text = part.strip().partition(":")
            try:
                key = bytes.fromhex(text)
                number = int(version)
            except ValueError:
                raise SettingsError("MASTER_KEYS must read 'version:64 hex digits', separated by commas.") from None
            if len(key) != 32:
                raise SettingsError("Each key in MASTER_KEYS must have 64 hex digits.")
            ring[number] = key
        if self.master_key_version and self.master_key_version not in ring:
            raise SettingsError("MASTER_KEY_VERSION names a key that is not in MASTER_KEYS.")
        return ring

    @property
    def hook_ports(self) -> tuple[int, ...]:
        """Ports that webhooks may go to beside 443; one that is no number counts as 0."""
        return tuple(int(port) if port.strip().isdecimal() else 0 for port in self.hooks_ports.split(",") if port.strip())

    @property
    def chooses_freely(self) -> bool:
        """Whether any agent may take a case of her choice. Senior agents always may."""
        return self.mode is not Mode.PRODUCTION if self.free_choice is None else self.free_choice

    @property
    def lease(self) -> timedelta:
        """How long a run may take before it is taken back."""
        return timedelta(seconds=self.lease_seconds)


def _kept(folder: Path, name: str, fresh: str) -> str:
    """Return the secret kept in `folder/secrets/name`, made from `fresh` at the first start.

    Several processes may start at once: exclusive creation decides, everybody reads the winner's.
    """
    place = folder / "secrets"
    place.mkdir(exist_ok=True, mode=0o700)
    file = place / name
    partial = place / f".{name}.{os.getpid()}"
    if not file.exists():
        partial.touch(mode=0o600)
        partial.write_text(fresh)
        try:
            os.link(partial, file)  # atomic, and fails when another process was first
        except FileExistsError:
            pass
        partial.unlink()
    return file.read_text().strip()
