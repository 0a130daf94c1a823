"""References to secrets in messages, `${secret:name/entry}`, and where a secret may go. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote, urlsplit

from virtufin_examples.errors import AccessDeniedError, InvalidInputError, NotFoundError

HOSTS_ENTRY = "hosts"
_DEFAULT_PORTS = {"ws": 80, "wss": 443}
_REFERENCE = re.compile(rb"\$\{secret:([^}]*)\}")
_NAME = re.compile(r"([A-Za-z0-9._-]{1,128})/([A-Za-z0-9._-]{1,128})")


class SecretResolver(Protocol):
    """Fetches a secret's entries when a message is sent."""

    async def entries(self, name: str) -> Mapping[str, str]:
        """Return the entries; `NotFoundError` when there is no such secret."""


async def resolve(
    payload: bytes, *, url: str, resolver: SecretResolver, as_json: bool = False, as_url: bool = False
) -> bytes:
    """Return the message with its references replaced, for the host of `url`.

    `as_json` escapes the values for JSON strings, `as_url` for a part of a URL. Raises
    `InvalidInputError` for a malformed reference, `NotFoundError` for a missing secret or entry and
    `AccessDeniedError` for a host that it may not go to. No error shows a value.
    """
    secrets: dict[str, Mapping[str, str]] = {}
    for name, _ in map(_parse, _REFERENCE.findall(payload)):
        if name not in secrets:
            entries = await resolver.entries(name)
            _require_host(name, entries.get(HOSTS_ENTRY, ""), url)
            secrets[name] = entries

    def value(match: re.Match[bytes]) -> bytes:
        name, entry = _parse(match[1])
        if entry not in secrets[name] or entry == HOSTS_ENTRY:
            raise NotFoundError(f"secret {name!r} has no entry {entry!r}")
        text = secrets[name][entry]
        if as_url:
            text = quote(text, safe="")
        return (json.dumps(text, ensure_ascii=False)[1:-1] if as_json else text).encode()

    return _REFERENCE.sub(value, payload)


def require_no_references(payload: bytes) -> None:
    """Raise `InvalidInputError` for a reference in a message that changes the wanted set.

    Venues confirm such messages with what stood in them: a secret in one would come back as data.
    """
    match = _REFERENCE.search(payload)
    if match is not None:
        raise InvalidInputError(
            f"message: {match[0].decode(errors='replace')} in what asks for symbols, which venues send back",
            hint="write the symbol; only what authenticates may hold references to secrets",
        )


def _parse(reference: bytes) -> tuple[str, str]:
    match = _NAME.fullmatch(reference.decode(errors="replace"))
    if match is None:
        raise InvalidInputError(
            f"message: ${{secret:{reference.decode(errors='replace')}}} is no reference to a secret",
            hint="write ${secret:name/entry}, for example ${secret:alpaca/key}",
        )
    return match[1], match[2]


def _require_host(name: str, hosts: str, url: str) -> None:
    if host_is_allowed(hosts, url):
        return
    target = urlsplit(url)
    where = f"{target.hostname}:{target.port or _DEFAULT_PORTS.get(target.scheme)}"
    allowed = f"its entry {HOSTS_ENTRY!r} allows {hosts}" if hosts else f"it has no entry {HOSTS_ENTRY!r}"
    variable = f"VIRTUFIN_SECRET_{name.upper()}_{HOSTS_ENTRY.upper()}"
    raise AccessDeniedError(
        f"secret {name!r} may not go to {where}",
        hint=f"{allowed}; to trust {where} name it there (`virtufin up` reads {variable})",
    )


def host_is_allowed(hosts: str, url: str) -> bool:
    """Return whether a comma-separated list of hosts names the host of `url`.

    `*.example.com` is any host below example.com; a port counts only where the list gives one.
    """
    target = urlsplit(url)
    host = (target.hostname or "").lower().rstrip(".")
    port = target.port or _DEFAULT_PORTS.get(target.scheme, 0)
    return any(_matches(entry.strip().lower(), host, port) for entry in hosts.split(",") if entry.strip())


def _matches(entry: str, host: str, port: int) -> bool:
    allowed = urlsplit(f"//{entry}")
    try:
        wanted_port = allowed.port
    except ValueError:
        return False
    pattern = (allowed.hostname or "").rstrip(".")
    if wanted_port is not None and wanted_port != port:
        return False
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return bool(pattern) and host == pattern
