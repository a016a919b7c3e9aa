"""The whole system as `bin/up` starts it, on ports of its own, and the people who use it in a real browser."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select

from cases import customers
from cases.database import Database, utcnow
from cases.models import Case, Customer
from cases.settings import Mode, Settings
from tests.specimens.people import Persona
from verification.evidence import Field, Profile, Quality

ROOT = Path(__file__).resolve().parents[2]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}
PATIENCE = 60_000
"""Milliseconds a page may take: the real engine on two shared cores takes seconds."""

SHOTS = Path(os.environ.get("SHOTS", ROOT / "tests" / ".shots" / "stories"))
expect.set_options(timeout=PATIENCE)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class System:
    """A running system and a way into its records."""

    settings: Settings
    log: Path
    database: Database = field(init=False)

    def __post_init__(self) -> None:
        self.database = Database.open(self.settings)

    def customer(self, persona: Persona, name: str) -> str:
        """Bring a persona in as the host system would; returns the address of her hand-over link."""
        with self.database.transaction() as session:
            profile = Profile.from_json(persona.profile)
            customer = customers.upsert(session, name, profile, email=f"{name}@example.test", locale="ru", now=utcnow())
            face = _jpeg(persona.on_file_photo())
            customers.set_face_on_file(session, customer, face, quality=Quality(), now=utcnow())
            token = customers.make_link(session, "hand_over", customer, case=None, lifetime=timedelta(minutes=15), now=utcnow())
        return f"{self.settings.portal_url}/enter/{token}"

    def profile(self, name: str) -> dict[Field, str]:
        """What the account holds now."""
        with self.database.reading() as session:
            customer = session.scalars(select(Customer).where(Customer.external_id == name)).one()
            return dict(customers.current_profile(session, customer)[0].values)

    def case(self, name: str) -> Case:
        """The newest case of a customer."""
        with self.database.reading() as session:
            found = select(Case).join(Customer).where(Customer.external_id == name).order_by(Case.opened_at.desc()).limit(1)
            return session.scalars(found).one()

    def logins(self) -> dict[str, tuple[str, str]]:
        """Role word -> password, authenticator key, as printed at the first start."""
        text = (Path(self.settings.data_dir) / "demo-logins.txt").read_text()
        return {m[1]: (m[2], m[3]) for m in re.finditer(r"(\w+)@\S+\s+password (\S+)\s+authenticator key (\S+)", text)}


def _jpeg(picture: Any) -> bytes:
    from verification import images

    return images.encode_jpeg(picture)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """`bin/up`'s runner with real Valkey, workers and engines, in a folder of its own."""
    folder = tmp_path_factory.mktemp("system")
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL", "STORAGE_URL")},
        "MODE": "demo",
        "DATA_DIR": str(folder),
        "PORTAL_PORT": str(free_port()),
        "STAFF_PORT": str(free_port()),
        "API_PORT": str(free_port()),
    }
    log = folder / "runner.log"
    with log.open("w") as out:
        runner = subprocess.Popen([sys.executable, "-m", "webapp.run"], cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 120
        while "Ready in" not in log.read_text():
            assert runner.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        settings = Settings(
            mode=Mode.DEMO,
            data_dir=folder,
            portal_port=int(environment["PORTAL_PORT"]),
            staff_port=int(environment["STAFF_PORT"]),
            api_port=int(environment["API_PORT"]),
        ).completed()
        running = System(settings=settings, log=log)
        yield running
        running.database.dispose()
    finally:
        runner.send_signal(signal.SIGTERM)
        runner.wait(timeout=20)


class Person:
    """Somebody at a screen."""

    def __init__(self, system: System, context: BrowserContext) -> None:
        self.system = system
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)

    def shows(self, name: str) -> None:
        """Keep a picture of what the screen shows."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(SHOTS / f"{name}.png"), full_page=False)

    def is_pictured(self, name: str) -> None:
        """Keep the README's picture of this screen, where `PICTURES` names the folder for it."""
        folder = os.environ.get("PICTURES")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            file = Path(folder) / f"{name}.png"
            self.page.screenshot(path=str(file))
            with Image.open(file) as picture:
                picture.convert("RGB").quantize(128).save(file, optimize=True)


@pytest.fixture
def person(system: System, chromium: Browser) -> Iterator[Callable[..., Person]]:
    """A person with a browser of his own: `person(PHONE)`."""
    contexts: list[BrowserContext] = []
    people: list[Person] = []

    def come(size: dict[str, int], locale: str = "ru-RU") -> Person:
        context = chromium.new_context(viewport=size, locale=locale, timezone_id="Europe/Moscow")  # type: ignore[arg-type]
        contexts.append(context)
        people.append(Person(system, context))
        return people[-1]

    yield come
    for context in contexts:
        context.close()
    seen = [e for p in people for e in p.errors if "status of 4" not in e]
    assert not seen, seen
