"""The methods of one back end as its reflection describes them, and how callers may spell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from virtufin_examples.errors import InvalidInputError, NotFoundError
from virtufin_examples.gateway._nearest import nearest_hint

_INFRASTRUCTURE = "grpc."
"""Health and reflection: callable by their full name, not listed, never meant by a short name."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method. `path` is what goes on the wire: `/package.Service/Method`."""

    name: str
    full_name: str
    path: str
    input: Descriptor
    output: Descriptor
    client_streaming: bool
    server_streaming: bool

    @property
    def streaming_kind(self) -> str:
        """`unary`, `server`, `client` or `bidi`."""
        kinds = {(False, False): "unary", (False, True): "server", (True, False): "client"}
        return kinds.get((self.client_streaming, self.server_streaming), "bidi")


class Schema:
    """The methods of one back end, in a descriptor pool of its own.

    A pool each because back ends may define different messages under one name.
    """

    def __init__(self, pool: DescriptorPool, services: Sequence[ServiceDescriptor]) -> None:
        self.pool = pool
        self.methods = tuple(_method(method) for service in services for method in service.methods)
        self._spellings: dict[str, list[Method]] = {}
        for method in self.methods:
            for spelling in _spellings(method):
                self._spellings.setdefault(spelling, []).append(method)

    @property
    def listed(self) -> tuple[Method, ...]:
        """The methods of its own services."""
        return tuple(m for m in self.methods if not m.full_name.startswith(_INFRASTRUCTURE))

    def find(self, name: str, *, service: str) -> Method:
        """Return the method that `name` means: `List`, `pkg.Service/List`, also with a dot or leading slash.

        `service` is the back end's name, for the errors. Raises `NotFoundError` with the nearest names,
        `InvalidInputError` for a short name that several methods share.
        """
        spelling = name.removeprefix("/")
        if "/" not in spelling and "." in spelling:
            owner, _, last = spelling.rpartition(".")
            spelling = f"{owner}/{last}"
        found = self._spellings.get(spelling, [])
        if len(found) == 1:
            return found[0]
        if found:
            full = " or ".join(sorted(method.full_name for method in found))
            raise InvalidInputError(
                f"method {name!r} of service {service!r} is ambiguous", hint=f"give the full name: {full}"
            )
        known = {method.name for method in self.listed}
        if "/" in spelling:
            known = {method.full_name for method in self.listed}
        raise NotFoundError(
            f"service {service!r} has no method {name!r}", hint=nearest_hint(spelling, known, "its methods")
        )


def _method(method: MethodDescriptor) -> Method:
    full_name = f"{method.containing_service.full_name}/{method.name}"
    return Method(
        name=method.name,
        full_name=full_name,
        path=f"/{full_name}",
        input=method.input_type,
        output=method.output_type,
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
    )


def _spellings(method: Method) -> set[str]:
    if method.full_name.startswith(_INFRASTRUCTURE):
        return {method.full_name}
    without_package = method.full_name.rpartition("/")[0].rpartition(".")[2]
    return {method.full_name, f"{without_package}/{method.name}", method.name}
