"""Listening sockets, and errors that say which setting is in the way."""

from __future__ import annotations

import errno
import os
import socket

from virtufin_examples.errors import UnavailableError

BACKLOG = 128
HOST_SETTING = "VIRTUFIN_HOST"

_NOT_OURS = frozenset((errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT))


def listen(name: str, kind: str, host: str, port: int, *, setting: str = "") -> socket.socket:
    """Return a listening socket of service `name`; port 0 takes a free one.

    Raises `UnavailableError` naming what is wrong, the port or the address, and its setting.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # on Windows it would share a port that is in use
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)  # only now is it known whether the port is free
    except (OSError, UnicodeError) as error:  # the latter for what cannot be a host's name
        listener.close()
        raise cannot_listen(error, name, kind, host, port, setting=setting) from error
    return listener


def check_free(name: str, kind: str, host: str, port: int, *, setting: str = "") -> None:
    """Raise what `listen` raises: gRPC keeps the cause to itself and prints it on stderr."""
    listen(name, kind, host, port, setting=setting).close()


def cannot_listen(
    error: Exception, name: str, kind: str, host: str, port: int, *, setting: str = ""
) -> UnavailableError:
    """Return the error for a socket that cannot listen; `setting` is the port's."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, socket.gaierror | UnicodeError) or number in _NOT_OURS:
        return UnavailableError(
            f"{name}: {host} is no address of this machine ({error})",
            hint=f"set {HOST_SETTING} to 127.0.0.1, or to another address of this machine",
        )
    hint = f"set {setting} to a free port, or stop what listens there" if setting else ""
    if number == errno.EADDRINUSE:
        return UnavailableError(f"{name}: {kind} port {port} on {host} is taken", hint=hint)
    return UnavailableError(f"{name}: cannot listen on {kind} port {port} of {host} ({error})", hint=hint)
