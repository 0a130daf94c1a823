"""The gateway's own services, called in process for REST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from virtufin_examples.gateway._json import parse_json
from virtufin_examples.gateway._methods import Method, Schema
from virtufin_examples.gateway._reflection import Metadata


@dataclass(frozen=True, slots=True)
class HttpContext:
    """What the servicers read of a call's context, for a call that came by HTTP."""

    headers: Metadata

    def invocation_metadata(self) -> Metadata:
        """Return the request's headers."""
        return self.headers

    def time_remaining(self) -> None:
        """HTTP names no deadline."""


class OwnServices:
    """The servicers by the full name of their service."""

    def __init__(self, servicers: Mapping[str, object]) -> None:
        pool = descriptor_pool.Default()
        self._servicers = servicers
        self.schema = Schema(pool, [pool.FindServiceByName(name) for name in servicers])

    async def call(self, method: Method, text: str, headers: Metadata) -> Message:
        """Call a unary method with a request in proto3 JSON; raises the service's errors."""
        request = GetMessageClass(method.input)()
        parse_json(text, request, field="the request")
        servicer: Any = self._servicers[method.full_name.partition("/")[0]]
        answer: Message = await getattr(servicer, method.name)(request, HttpContext(headers))
        return answer
