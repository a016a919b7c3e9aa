"""Settings: what is made up in development, and what production must say itself."""

from __future__ import annotations

import multiprocessing
import stat

import pytest

from cases.settings import Mode, Settings, SettingsError

GIVEN = {
    "MODE": "production",
    "DATABASE_URL": "postgresql://db/x",
    "REDIS_URL": "rediss://r",
    "STORAGE_URL": "s3://bucket",
    "SECRET_KEY": "s" * 32,
    "AUDIT_KEY": "a" * 32,
    "MASTER_KEYS": f"1:{'11' * 32},2:{'22' * 32}",
    "PORTAL_URL": "https://portal.test",
    "STAFF_URL": "https://staff.test",
    "MAIL_URL": "smtp://mail.test",
}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    for name in [*GIVEN, "DATA_DIR"]:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_development_makes_up_its_secrets_once_for_the_owner_only(tmp_path):
    first, second = Settings.load(), Settings.load()
    assert first == second
    assert len(first.secret_key) == len(first.audit_key) == 64 and list(first.keyring) == [1]
    assert first.database_url.startswith("sqlite:///")
    for file in (tmp_path / "var" / "secrets").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def _load(folder: str) -> str:
    return Settings(mode=Mode.DEVELOPMENT, data_dir=folder).completed().secret_key


@pytest.mark.usefixtures("environment")
def test_processes_that_start_together_read_the_same_secrets(tmp_path):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert len(set(pool.map(_load, [str(tmp_path / "together")] * 8))) == 1


def test_production_takes_what_is_given(environment):
    for name, value in GIVEN.items():
        environment.setenv(name, value)
    settings = Settings.load()
    assert sorted(settings.keyring) == [1, 2]


@pytest.mark.parametrize("name", [n for n in GIVEN if n != "MODE"])
def test_production_names_what_is_missing(environment, name):
    for other, value in GIVEN.items():
        if other != name:
            environment.setenv(other, value)
    with pytest.raises(SettingsError, match=name):
        Settings.load()


@pytest.mark.parametrize("name", ["PORTAL_URL", "STAFF_URL"])
@pytest.mark.parametrize("address", ["http://portal.test", "portal.test"])
def test_production_serves_nobody_in_clear_text(environment, name, address):
    for other, value in GIVEN.items():
        environment.setenv(other, value)
    environment.setenv(name, address)
    with pytest.raises(SettingsError, match=f"{name} must begin with https"):
        Settings.load()
    environment.setenv("MODE", "development")
    assert Settings.load().mode is Mode.DEVELOPMENT


def test_a_short_key_a_wrong_number_and_a_missing_file_are_told(environment, tmp_path):
    for name, value in GIVEN.items():
        environment.setenv(name, value)
    environment.setenv("AUDIT_KEY", "short")
    with pytest.raises(SettingsError, match="AUDIT_KEY"):
        Settings.load()
    environment.setenv("LEASE_SECONDS", "soon")
    with pytest.raises(SettingsError, match="LEASE_SECONDS"):
        Settings.load()
    environment.setenv("SECRET_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="SECRET_KEY_FILE"):
        Settings.load()


def test_secrets_may_come_from_files(environment, tmp_path):
    (tmp_path / "key").write_text("from a file " * 4 + "\n")
    environment.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    assert Settings.load().secret_key == ("from a file " * 4).strip()


@pytest.mark.parametrize("keys", ["1", "1:zz", f"x:{'11' * 32}", "1:1111", ""])
def test_master_keys_that_are_none_are_refused(keys):
    with pytest.raises(SettingsError, match="MASTER_KEYS"):
        _ = Settings(master_keys=keys or ":").keyring


@pytest.mark.parametrize(
    ("said", "starts"), [("true", False), ("1", False), ("on", False), ("false", True), ("0", True), ("", True)]
)
def test_an_opinion_that_was_hidden_by_the_environment_is_not_shown_in_silence(environment, said, starts):
    environment.setenv("HIDE_OPINION", said)
    if starts:
        Settings.load()
        return
    with pytest.raises(SettingsError, match="flask policy draft hide_opinion=true"):
        Settings.load()
