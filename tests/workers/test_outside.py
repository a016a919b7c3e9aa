"""A request to an address that somebody else named goes nowhere inside, whatever the address says, and ends in time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from cases import outside as rules
from cases.outside import BadAddress, Rules, target
from cases.settings import Mode, SettingsError
from tests.conftest import settings_in
from tests.workers.receiver import Authority, Receiver, receiver
from workers import outside

OPEN = Rules(allow_private=True)
STRICT = Rules()

INSIDE = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8",
    "168.63.129.16", "169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%eth0", "fec0::1", "ff02::1",
)  # fmt: skip
"""Addresses of every kind that is not plainly a host on the internet."""

OUTSIDE = ("8.8.8.8", "1.1.1.1", "172.32.0.1", "192.167.0.1", "100.128.0.1", "169.255.0.1", "2606:4700::1111", "2a00:1450::1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def plain() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def code(url: str, allowed: Rules = STRICT, **about: object) -> str:
    """Why nothing was reached."""
    with pytest.raises(outside.NotReached) as why:
        outside.post(url, b"{}", {}, rules=allowed, **about)  # type: ignore[arg-type]
    return why.value.code


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_inside_is_connected_to_by_figure_or_by_name(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "dial", lambda *_: pytest.fail("it was connected to"))
    figure = f"[{address}]" if ":" in address else address
    with pytest.raises(BadAddress):
        target(f"https://{figure}/hook", STRICT)
    assert code("https://hooks.host.example/", resolve=lambda host, port: [address]) == "address_refused"
    assert code("https://hooks.host.example/", resolve=lambda host, port: ["8.8.8.8", address]) == "address_refused"


def test_hosts_on_the_internet_pass() -> None:
    assert [address for address in OUTSIDE if rules.refused(ip_address(address), STRICT)] == []
    assert outside.judged(OUTSIDE, STRICT) == list(OUTSIDE[: outside.MOST_ADDRESSES])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.host.example/", "url_scheme"),
        ("ftp://hooks.host.example/", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("gopher://hooks.host.example/", "url_scheme"),
        ("//hooks.host.example/", "url_scheme"),
        ("https://user:secret@hooks.host.example/", "url_userinfo"),
        ("https://hooks.host.example@127.0.0.1/", "url_userinfo"),
        ("https://@hooks.host.example/", "url_userinfo"),
        ("https://hooks.host.example:8443/", "url_port"),
        ("https://hooks.host.example:22/", "url_port"),
        ("https://hooks.host.example:0/", "url_port"),
        ("https://hooks.host.example:99999/", "url_malformed"),
        ("https://hooks.host.example:x/", "url_malformed"),
        ("https:///hook", "url_host"),
        ("https://", "url_host"),
        ("https://hooks..example/", "url_host"),
        ("https://-hooks.example/", "url_host"),
        ("https://хост.example/", "url_malformed"),
        ("https://hooks.host.example/a b", "url_malformed"),
        ("https://hooks.host.example/\r\nHost: x", "url_malformed"),
        ("https://hooks.host.example\\@evil.example/", "url_malformed"),
        ("https://hooks.host.example/#frag", "url_malformed"),
        ("https://[::1/", "url_malformed"),
        ("https://hooks.host.example/" + "a" * 500, "url_too_long"),
    ],
)
def test_a_url_that_is_not_plain_https_is_refused(url: str, why: str) -> None:
    with pytest.raises(BadAddress) as refused:
        target(url, STRICT)
    assert refused.value.code == why


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
def test_loopback_in_other_clothes_is_known_by_what_it_resolves_to(host: str) -> None:
    assert code(f"https://{host}/") in ("address_refused", "name_unknown"), "which, depends on the system's resolver"


def test_other_ports_only_where_the_deployment_says_so() -> None:
    assert target("https://hooks.host.example:8443/x?y=1", Rules(ports=frozenset({443, 8443}))).host_header == (
        "hooks.host.example:8443"
    )
    assert target("https://hooks.host.example:443/", STRICT).host_header == "hooks.host.example"


def test_production_allows_nothing_private_whatever_its_settings_say(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, hooks_ports="8443, 9443")
    assert Rules.of(settings) == Rules(allow_private=True, ports=frozenset({443, 8443, 9443}))
    assert not Rules.of(settings.model_copy(update={"hooks_allow_private": False})).allow_private
    for said in (None, True):
        assert not Rules.of(settings.model_copy(update={"mode": Mode.PRODUCTION, "hooks_allow_private": said})).allow_private


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"mode": Mode.PRODUCTION, "hooks_allow_private": True}, "HOOKS_ALLOW_PRIVATE"),
        ({"hooks_ports": "8443,all"}, "HOOKS_PORTS"),
        ({"hooks_ports": "70000"}, "HOOKS_PORTS"),
        ({"hooks_ca": Path("/nowhere/ca.pem")}, "HOOKS_CA"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_at_the_start(tmp_path: Path, wrong: dict[str, object], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        settings_in(tmp_path).model_copy(update=wrong).completed()


def test_a_name_that_changes_its_mind_is_asked_once_and_changes_nothing(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the first answer is harmless, every later one points inward."""
    asked: list[str] = []

    def fickle(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.215.14"] if len(asked) == 1 else ["127.0.0.1"]

    reached: list[tuple[str, int]] = []
    real = outside.dial
    with receiver(authority.serving("hooks.host.example")) as inner:

        def dial(address: str, port: int, seconds: float) -> socket.socket:
            reached.append((address, port))
            return real("127.0.0.1", inner.port, seconds)  # stands in for the internet

        monkeypatch.setattr(outside, "dial", dial)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("the name was resolved again"))
        strict = replace(STRICT, ca_file=str(authority.file))
        assert outside.post("https://hooks.host.example/hook", b"{}", {}, rules=strict, resolve=fickle) == 204
        assert inner.names == ["hooks.host.example"], "TLS is asked for the name, not for the address"
        assert inner.requests[0].headers["Host"] == "hooks.host.example"
    assert asked == ["hooks.host.example"]
    assert reached == [("93.184.215.14", 443)], "exactly the address that was judged"
    assert code("https://hooks.host.example/hook", strict, resolve=fickle) == "address_refused"


def test_it_arrives_over_https_with_the_body_and_headers_given(authority: Authority) -> None:
    trusting = Rules(allow_private=True, ca_file=str(authority.file))
    with receiver(authority.serving("localhost", "127.0.0.1")) as there:
        url = f"https://127.0.0.1:{there.port}/hook?a=1"
        assert outside.post(url, b'{"a":1}', {"webhook-id": "evt_1"}, rules=trusting) == 204
    (request,) = there.requests
    assert request.path == "/hook?a=1" and request.body == b'{"a":1}'
    assert request.headers["webhook-id"] == "evt_1" and request.headers["Content-Type"] == "application/json"
    assert request.headers["Host"] == f"127.0.0.1:{there.port}"


def test_a_certificate_must_be_believed_be_for_this_name_and_not_be_over(authority: Authority) -> None:
    trusting = Rules(allow_private=True, ca_file=str(authority.file))
    with receiver(authority.serving("another.example")) as other, receiver(authority.serving("127.0.0.1", over=True)) as old:
        assert code(f"https://127.0.0.1:{other.port}/", trusting) == "tls_certificate"
        assert code(f"https://127.0.0.1:{old.port}/", trusting) == "tls_certificate"
    with receiver(authority.serving("127.0.0.1")) as good:
        assert code(f"https://127.0.0.1:{good.port}/", OPEN) == "tls_certificate", "its authority is believed only if named"
        assert good.requests == other.requests == old.requests == []


def test_no_redirect_is_followed(plain: Receiver) -> None:
    with receiver() as elsewhere:
        plain.status, plain.more = 307, {"Location": f"http://127.0.0.1:{elsewhere.port}/"}
        assert outside.post(f"http://127.0.0.1:{plain.port}/", b"{}", {}, rules=OPEN) == 307
        assert elsewhere.requests == [] and len(plain.requests) == 1


def test_no_proxy_of_the_environment_is_asked(plain: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert outside.post(f"http://127.0.0.1:{plain.port}/", b"{}", {}, rules=OPEN) == 204
        assert proxy.requests == []


def test_a_header_cannot_bring_a_line_of_its_own(plain: Receiver) -> None:
    with pytest.raises(ValueError, match="printable"):
        outside.post(f"http://127.0.0.1:{plain.port}/", b"{}", {"x": "1\r\nHost: evil"}, rules=OPEN)
    assert plain.requests == []


def test_a_long_answer_is_read_no_further_than_some_kilobytes(plain: Receiver) -> None:
    plain.answer = b"x" * 5_000_000
    assert outside.post(f"http://127.0.0.1:{plain.port}/", b"{}", {}, rules=OPEN) == 204


class Odd:
    """A server that writes what it is told, and waits before it closes until it is let go."""

    def __init__(self, *pieces: bytes, endless: bool = False) -> None:
        self.done = threading.Event()
        self._pieces, self._endless = pieces, endless
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            try:
                for piece in self._pieces:
                    connection.sendall(piece)
                while self._endless and not self.done.wait(0.01):
                    connection.sendall(b"X-More: y\r\n")
            except OSError:
                pass
            self.done.wait(5)

    def close(self) -> None:
        self.done.set()
        self._thread.join()
        self._socket.close()


@pytest.mark.parametrize(
    ("pieces", "endless", "why"),
    [
        ((), False, "timeout"),
        ((b"HTTP/1.1 200 OK\r\n",), False, "timeout"),
        ((b"HTTP/1.1 200 OK\r\n",), True, "timeout"),  # one byte now and then never resets the clock
        ((b"SSH-2.0-OpenSSH_9.2\r\n\r\n",), False, "no_http_answer"),
        ((b"HTTP/1.1 999 No\r\n\r\n",), False, "no_http_answer"),
        ((b"HTTP/1.1 200 OK\r\n" + b"X-Long: y\r\n" * 2000,), False, "answer_too_long"),
    ],
)
def test_a_receiver_that_answers_strangely_or_never_is_left_in_time(pieces: tuple[bytes, ...], endless: bool, why: str) -> None:
    there = Odd(*pieces, endless=endless)
    try:
        assert code(there.url, OPEN, patience=0.4) == why
    finally:
        there.close()


def test_an_early_hint_is_no_answer() -> None:
    there = Odd(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"HTTP/1.1 202 Accepted\r\n\r\n")
    try:
        assert outside.post(there.url, b"{}", {}, rules=OPEN) == 202
    finally:
        there.close()


def test_nobody_there_has_a_code_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert code(f"http://127.0.0.1:{port}/", OPEN) == "connection_refused"
    assert code("https://hooks.invalid/", STRICT) == "name_unknown"
    assert code("https://hooks.host.example/", STRICT, resolve=lambda host, port: []) == "name_unknown"


def test_a_first_address_that_is_dead_leaves_time_for_the_next(plain: Receiver) -> None:
    found = outside.post(
        f"http://hooks.host.example:{plain.port}/", b"{}", {}, rules=OPEN, resolve=lambda host, port: ["127.0.0.9", "127.0.0.1"]
    )
    assert found == 204, "127.0.0.9 is this machine too, but nobody listens there"
