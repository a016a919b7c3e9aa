"""Which addresses outside we speak to: rules for a URL that somebody typed in, and for what its name resolves to. Pure.

A webhook's address is given from outside, so it may point inward: at our database, at the cloud's metadata service, at a router
(server-side request forgery). A name is judged by every address it resolves to, at the moment of the connection and nowhere
else: what it resolved to earlier says nothing. `workers.outside` connects to exactly the address that was judged here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Self
from urllib.parse import urlsplit

from cases.settings import Mode, Settings

LONGEST_URL = 500
"""Characters; what the column holds."""

HTTPS = 443

NOT_PUBLIC_4 = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' own; Alibaba's metadata service
        "127.0.0.0/8",  # this machine
        "168.63.129.16/32",  # Azure's wire server: public by number, internal by use
        "169.254.0.0/16",  # link-local; metadata services of AWS, Azure, Google, OpenStack
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
"""IANA's IPv4 special-purpose registry, multicast, and two addresses of clouds. Written out: what Python's `is_global` says of
some of them has changed between its versions."""

PUBLIC_6 = IPv6Network("2000::/3")
"""All that IANA has given out for use across the internet. Loopback, link-local, unique local, multicast, IPv4-mapped,
IPv4-compatible and NAT64 (64:ff9b::/96, 64:ff9b:1::/48) lie outside of it."""
NOT_PUBLIC_6 = tuple(
    IPv6Network(net)
    for net in (
        "2001::/23",  # protocol assignments, among them Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address inside, of any kind
        "3fff::/20",  # documentation
    )
)
"""IANA's IPv6 special-purpose registry within PUBLIC_6."""

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*", re.I)
_PRINTABLE = re.compile(r"[!-~]+")  # ASCII without space: nothing that could end a header or be read in two ways


class BadAddress(ValueError):
    """This URL is none that we speak to. `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a deployment allows."""

    allow_private: bool = False  # also plain http, and any port: for a receiver on the developer's own machine
    ports: frozenset[int] = frozenset({HTTPS})
    ca_file: str | None = None  # a certificate authority beside those of the system

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What these settings allow. Nothing private in production, whatever they say."""
        private = settings.mode is not Mode.PRODUCTION and settings.hooks_allow_private is not False
        return cls(
            allow_private=private,
            ports=frozenset({HTTPS, *settings.hook_ports}),
            ca_file=str(settings.hooks_ca) if settings.hooks_ca else None,
        )


@dataclass(frozen=True, kw_only=True)
class Target:
    """A URL that was judged, in the parts that a request needs."""

    secure: bool
    host: str  # name, or address without brackets
    port: int
    path: str  # with its query, as typed

    @property
    def host_header(self) -> str:
        """As the Host header says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (HTTPS if self.secure else 80) else f"{host}:{self.port}"


def target(url: str, rules: Rules) -> Target:
    """The parts of a URL that may be spoken to. Raises BadAddress.

    An address that stands in it in figures is judged here already; a name only when it is connected to.
    """
    if len(url) > LONGEST_URL:
        raise BadAddress("url_too_long")
    if not _PRINTABLE.fullmatch(url) or "\\" in url or "#" in url:
        raise BadAddress("url_malformed")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise BadAddress("url_malformed") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and rules.allow_private):
        raise BadAddress("url_scheme")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise BadAddress("url_userinfo")
    secure = parts.scheme == "https"
    number = port if port is not None else (HTTPS if secure else 80)
    if number == 0 or not (rules.allow_private or number in rules.ports):
        raise BadAddress("url_port")
    try:
        figures = ip_address(host)
    except ValueError:
        if ":" in host or not _NAME.fullmatch(host):
            raise BadAddress("url_host") from None
    else:
        if refused(figures, rules):
            raise BadAddress("url_address")
    path = parts.path or "/"
    return Target(secure=secure, host=host, port=number, path=f"{path}?{parts.query}" if parts.query else path)


def refused(address: IPv4Address | IPv6Address, rules: Rules) -> bool:
    """Whether this address is none to connect to: anything that is not plainly a host on the internet."""
    if rules.allow_private:
        return False
    if isinstance(address, IPv4Address):
        return any(address in net for net in NOT_PUBLIC_4)
    return address.scope_id is not None or address not in PUBLIC_6 or any(address in net for net in NOT_PUBLIC_6)
