"""What a connector is, in words and numbers, taken from what the connection core itself asks it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from virtufin_examples.venues import COMMON_OPTIONS, Connector, VenueLimits

HTTP_STATUSES = (400, 401, 403, 404, 410, 418, 429, 451, 500, 502, 503)
"""The answers to an upgrade that venues are known to give."""

_BUDGETS = MappingProxyType(
    {
        "connects": "connects",
        "messages": "messages of a socket",
        "shared_messages": "messages of all sockets",
        "requests": "HTTP requests",
    }
)


def describe_connector(connector: Connector) -> dict[str, Any]:
    """Return URLs with their limits, options, handshake and errors, as plain values."""
    return {
        "handshake": connector.handshake,
        "urls": [
            {
                "url": claim.url,
                "carries": claim.carries,
                "limits": _known(connector.limits(claim.url, {})),
            }
            for claim in connector.claimed
        ],
        "options": [
            {"name": each.name, "default": each.default, "meaning": each.meaning}
            for each in (*connector.own_options, *COMMON_OPTIONS)
        ],
        "errors": [*_socket_errors(connector), *_upgrade_errors(connector)],
    }


def limits_in_words(limits: Mapping[str, Any]) -> str:
    """Return the limits of a description as a line."""
    phrases = []
    for name, words in _BUDGETS.items():
        if name in limits:
            phrases.append(f"{limits[name]['count']} {words} in {limits[name]['seconds']:g} s")
    if "sockets" in limits:
        phrases.append(f"{limits['sockets']} socket{'s' if limits['sockets'] != 1 else ''}")
    if "symbols" in limits:
        phrases.append(f"{limits['symbols']} symbols a socket")
    if "socket_seconds" in limits:
        phrases.append(f"{limits['socket_seconds'] / 3600:g} h a socket")
    return "; ".join(phrases) or "none known"


def _known(limits: VenueLimits) -> dict[str, Any]:
    return {
        name: value
        for name, value in dataclasses.asdict(limits).items()
        if name != "scope" and value is not None
    }


def _socket_errors(connector: Connector) -> list[dict[str, Any]]:
    return [
        {
            "error": rule.code,
            "disposition": rule.disposition.value,
            "wait_seconds": rule.wait_seconds,
            "meaning": rule.meaning,
        }
        for rule in connector.errors
    ]


def _upgrade_errors(connector: Connector) -> list[dict[str, Any]]:
    """What the connector itself says to each status; without Retry-After, which goes before."""
    refusals = [(status, connector.upgrade_refused(status, {})) for status in HTTP_STATUSES]
    return [
        {
            "error": f"HTTP {status}",
            "disposition": refused.disposition.value,
            "wait_seconds": refused.wait_seconds,
            "meaning": refused.reason,
        }
        for status, refused in refusals
    ]
