"""Which hosts and addresses worker code may be fetched from. Pure.

Refused are addresses that lead into the machine or its networks (RFC 6890 special-purpose addresses,
multicast), also when they are embedded in an IPv6 address that a gateway would translate.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def refusal(address: str) -> str:
    """Return why nothing may be fetched from an address; empty: it is a public one."""
    parsed = ipaddress.ip_address(address.partition("%")[0])  # without the zone
    for each in (parsed, *_embedded(parsed)):
        kind = _kind(each)
        if kind:
            return kind
    return ""


def _kind(address: Address) -> str:
    if address.is_unspecified:
        return "unspecified"
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    if address.is_private:
        return "private"
    return "" if address.is_global else "reserved"


def _embedded(address: Address) -> list[ipaddress.IPv4Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return [each for each in found if each is not None]


def host_is_listed(host: str, port: int, listed: Sequence[str]) -> bool:
    """Whether a list of hosts names this one: `host`, `*.domain`, `host:port`, `[ipv6]:port`."""
    name = host.strip("[]").lower().rstrip(".")
    for entry in listed:
        pattern, wanted_port = _split_port(entry.strip().lower())
        if wanted_port and wanted_port != str(port):
            continue
        if name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:])):
            return True
    return False


def _split_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    if entry.count(":") == 1:
        host, _, port = entry.partition(":")
        return host, port
    return entry, ""
