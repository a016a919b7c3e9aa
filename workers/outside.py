"""Send one HTTP request to an address that somebody else named, and come back in time, whatever is there.

The name is resolved once. Every address it has is judged (`cases.outside`), and the connection goes to exactly one of those, with
the name in the Host header and in TLS, so a name that changes its mind between judging and connecting changes nothing. Redirects
are not followed, the environment's proxies are not asked, at most MOST_READ bytes of the answer are read and none is kept.
`http.client` and its like can promise none of this: they resolve again, and their time limit counts anew with every byte.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address

from cases import outside

PATIENCE = 10.0
"""Seconds for connecting, TLS, sending and the head of the answer together. Standard Webhooks advise 15 to 30; a receiver that
needs longer than 10 should take the event and work later, and holds up those behind it."""

MOST_READ = 16 * 1024
"""Bytes of an answer that are read at all."""

MOST_ADDRESSES = 3
"""Of one name that are tried."""

GOODBYE = 0.5
"""Seconds in which what is left of an answer is read, so that the receiver does not see its answer cut off."""

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\Z")

Resolve = Callable[[str, int], Sequence[str]]


class NotReached(Exception):
    """No answer. `code` says why, without anything that was said there."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, as the system's resolver gives them. Raises NotReached."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotReached("name_unknown") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    rules: outside.Rules,
    resolve: Resolve = resolve,
    patience: float = PATIENCE,
) -> int:
    """POST `body` and return the status of the answer. Raises NotReached, also where the rules forbid the address."""
    try:
        to = outside.target(url, rules)
    except outside.BadAddress as bad:
        raise NotReached(bad.code) from None
    until = time.monotonic() + patience
    addresses = judged(resolve(to.host, to.port), rules)
    request = _request(to, body, headers)
    connection = _connect(addresses, to, rules, until)
    try:
        _send(connection, request, until)
        return _status(connection, until)
    finally:
        connection.close()


def judged(addresses: Sequence[str], rules: outside.Rules) -> list[str]:
    """These addresses, if all of them may be connected to. Raises NotReached: a name that is partly inside is not outside."""
    if not addresses:
        raise NotReached("name_unknown")
    try:
        bad = any(outside.refused(ip_address(address), rules) for address in addresses)
    except ValueError:
        bad = True
    if bad:
        raise NotReached("address_refused")
    return list(addresses[:MOST_ADDRESSES])


def _request(to: outside.Target, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The bytes that go out. No header may bring a line of its own."""
    lines = {
        "Host": to.host_header,
        "User-Agent": "Peremena-Hooks/1",
        "Accept": "*/*",
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers,
    }
    if any(c < " " or c > "~" for name, value in lines.items() for c in name + value):
        raise ValueError("a header of other than printable ASCII")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {to.path} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body


def dial(address: str, port: int, seconds: float) -> socket.socket:
    """A connection to an address in figures. Nothing is resolved here. Raises OSError."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.settimeout(seconds)
        made.connect((address, port))
    except BaseException:
        made.close()
        raise
    return made


def _connect(addresses: Sequence[str], to: outside.Target, rules: outside.Rules, until: float) -> socket.socket:
    """A connection to one of these addresses and to nothing else, in TLS where the URL says so. Raises NotReached."""
    plain = None
    for place, address in enumerate(addresses):
        left = _left(until)
        share = left / (len(addresses) - place)  # a first address that is silent leaves time for the next
        try:
            plain = dial(address, to.port, share)
            break
        except TimeoutError:
            code = "timeout"
        except ConnectionRefusedError:
            code = "connection_refused"
        except OSError:
            code = "not_reachable"
        if place == len(addresses) - 1:
            raise NotReached(code)
    assert plain is not None
    if not to.secure:
        return plain
    try:
        context = ssl.create_default_context()
        if rules.ca_file:
            context.load_verify_locations(cafile=rules.ca_file)
        plain.settimeout(_left(until))
        return context.wrap_socket(plain, server_hostname=to.host)
    except ssl.SSLCertVerificationError:
        code = "tls_certificate"
    except TimeoutError:
        code = "timeout"
    except ssl.SSLError:
        code = "tls_failed"
    except OSError:
        code = "connection_lost"
    plain.close()
    raise NotReached(code)


def _send(connection: socket.socket, request: bytes, until: float) -> None:
    """Raises NotReached. A receiver that answers before it has read everything is heard all the same."""
    try:
        connection.settimeout(_left(until))
        connection.sendall(request)
    except TimeoutError:
        raise NotReached("timeout") from None
    except OSError:
        pass  # whether it answered shows in what there is to read


def _status(connection: socket.socket, until: float) -> int:
    """The status of the first answer that is none of the 1xx. Raises NotReached."""
    data, read = b"", 0
    while True:
        head, end, rest = data.partition(b"\r\n\r\n")
        if end:
            found = _STATUS.match(head.partition(b"\r\n")[0])
            if found is None:
                raise NotReached("no_http_answer")
            if found[1][:1] != b"1":
                _drain(connection, MOST_READ - read, until)
                return int(found[1])
            data = rest
            continue
        if read >= MOST_READ:
            raise NotReached("answer_too_long")
        try:
            connection.settimeout(_left(until))
            piece = connection.recv(min(4096, MOST_READ - read))
        except TimeoutError:
            raise NotReached("timeout") from None
        except OSError:
            raise NotReached("connection_lost") from None
        if not piece:
            raise NotReached("connection_lost" if not data else "no_http_answer")
        data += piece
        read += len(piece)


def _drain(connection: socket.socket, most: int, until: float) -> None:
    """Read a little of what is left and forget it."""
    until = min(until, time.monotonic() + GOODBYE)
    with suppress(OSError, NotReached):
        while most > 0:
            connection.settimeout(_left(until))
            piece = connection.recv(min(4096, most))
            if not piece:
                return
            most -= len(piece)


def _left(until: float) -> float:
    """Seconds that are left. Raises NotReached."""
    left = until - time.monotonic()
    if left <= 0:
        raise NotReached("timeout")
    return left
