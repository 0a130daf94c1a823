"""Calls to back ends: finds the method, encodes, retries, respects the breaker and the deadline."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

import grpc
import grpc.aio

from virtufin_examples.errors import (
    DeadlineError,
    InvalidInputError,
    NotFoundError,
    PreconditionError,
    VirtufinError,
    error_from_status,
)
from virtufin_examples.gateway._backend import Backend
from virtufin_examples.gateway._breaker import Permit, Verdict
from virtufin_examples.gateway._methods import Method, Schema
from virtufin_examples.gateway._metrics import GatewayMetrics
from virtufin_examples.gateway._reflection import Metadata
from virtufin_examples.gateway._registry import Registry
from virtufin_examples.gateway._retry import RetryRule

Encode = Callable[[Schema, Method], bytes]
"""Returns the encoded request; raises `InvalidInputError` when it does not fit the method's input."""


class StreamingMethodError(VirtufinError):
    """Invoke and InvokeJson carry one request and one response."""

    code: ClassVar[str] = "UNIMPLEMENTED"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a back end answered, or why it could not: `status` is a gRPC status name.

    `schema` and `method` are there where `status` is OK.
    """

    status: str
    message: str
    data: bytes = b""
    schema: Schema | None = None
    method: Method | None = None


class Proxy:
    """Calls methods of the back ends in `registry`.

    What is wrong with a call raises `InvalidInputError` (service, request), `NotFoundError` (method) or
    `StreamingMethodError`. What is wrong with a back end is an `Answer`.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        retry: RetryRule,
        timeout_seconds: float,
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._registry = registry
        self._retry = retry
        self._timeout_seconds = timeout_seconds
        self._metrics = metrics
        self._clock = clock
        self._chance = chance
        self._sleep = sleep

    async def invoke(
        self,
        service: str,
        method: str,
        encode: Encode,
        *,
        headers: Metadata = (),
        caller_seconds: float | None = None,
    ) -> Answer:
        """Call a unary method.

        `headers` go to the back end as they are. `caller_seconds` is what is left of the caller's own
        deadline; the shorter of it and the gateway's holds for all tries together.
        """
        backend = self._registry.find(service)
        started = self._clock()
        answer = await self._invoke(backend, method, encode, headers, caller_seconds)
        self._metrics.call_seconds.labels(service, answer.status).observe(self._clock() - started)
        return answer

    async def schema(self, service: str) -> Schema:
        """Return the methods of a back end; raises the error of its status when it cannot be asked."""
        backend = self._registry.find(service)
        known = backend.known_schema
        if known is not None:
            return known
        try:
            return await self._fetch(backend, None, self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            raise error_from_status(error.code().name, f"{backend}: {error.details()}") from error

    async def _invoke(
        self,
        backend: Backend,
        method: str,
        encode: Encode,
        headers: Metadata,
        caller_seconds: float | None,
    ) -> Answer:
        call = _Call(
            backend,
            method,
            encode,
            headers,
            deadline=self._clock() + min(self._timeout_seconds, caller_seconds or self._timeout_seconds),
            caller_is_patient=caller_seconds is None or caller_seconds >= self._timeout_seconds,
        )
        attempt = 0
        while True:
            permit = backend.breaker.acquire(self._clock())
            if permit is None:
                wait = backend.breaker.retry_in(self._clock())
                return Answer("UNAVAILABLE", f"{backend} keeps failing: not called again for {wait:.0f} s")
            answer = await self._guarded(call, permit)
            delay = self._retry.wait(
                answer.status, attempt, chance=self._chance(), left=call.deadline - self._clock()
            )
            if delay is None:
                return answer
            self._metrics.retries.labels(backend.entry.name).inc()
            await self._sleep(delay)
            attempt += 1

    async def _guarded(self, call: _Call, permit: Permit) -> Answer:
        """Try once and tell the breaker how it went."""
        verdict = Verdict.CANCELLED  # also when the request is at fault: that says nothing about the back end
        try:
            answer = await self._try(call)
            verdict = self._verdict(call, answer)
            return answer
        finally:
            call.backend.breaker.report(permit, verdict, self._clock())

    def _verdict(self, call: _Call, answer: Answer) -> Verdict:
        if answer.status == "UNAVAILABLE":
            return Verdict.FAILURE
        if answer.status == "DEADLINE_EXCEEDED" and self._clock() >= call.deadline:
            # An impatient caller is not the back end's fault; before the deadline it is its own answer.
            return Verdict.FAILURE if call.caller_is_patient else Verdict.CANCELLED
        return Verdict.SUCCESS

    async def _try(self, call: _Call) -> Answer:
        known = call.backend.known_schema
        try:
            if known is not None:
                try:
                    return await self._send(call, known)
                except (NotFoundError, InvalidInputError, _OutdatedError):
                    pass  # the schema may have changed without the connection breaking: look again
            return await self._send(call, await self._fetch(call.backend, known, self._left(call)))
        except _OutdatedError as error:
            return Answer("UNIMPLEMENTED", str(error))
        except PreconditionError as error:
            return Answer(error.code, str(error))
        except (grpc.aio.AioRpcError, TimeoutError, DeadlineError) as error:
            return self._failure(call, error)

    async def _send(self, call: _Call, schema: Schema) -> Answer:
        method = schema.find(call.method, service=call.backend.entry.name)
        if method.client_streaming or method.server_streaming:
            raise StreamingMethodError(
                f"method {method.full_name} is a streaming one ({method.streaming_kind})",
                hint="Invoke and InvokeJson call unary methods; call this one on the service itself, "
                "and for events use Pubsub.Subscribe",
            )
        request = call.encode(schema, method)
        try:
            data = await call.backend.call(
                method.path, request, headers=call.headers, timeout_seconds=self._left(call)
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise _OutdatedError(error.details() or "") from error
            return self._failure(call, error)
        return Answer("OK", "", data, schema, method)

    async def _fetch(self, backend: Backend, other_than: Schema | None, timeout_seconds: float) -> Schema:
        if not backend.entry.reflection_enabled:
            raise PreconditionError(
                f"{backend} is configured without reflection",
                hint="serve reflection there and set grpc.reflection_enabled to true in services.json",
            )
        try:
            return await backend.schema(other_than=other_than, timeout_seconds=timeout_seconds)
        except PreconditionError as error:
            raise PreconditionError(f"{backend}: {error.message}", hint=error.hint) from error
        except TimeoutError:
            raise DeadlineError(f"{backend}: no answer to reflection in {timeout_seconds:g} s") from None

    def _failure(self, call: _Call, error: Exception) -> Answer:
        if not isinstance(error, grpc.aio.AioRpcError):
            return Answer("DEADLINE_EXCEEDED", str(error))
        status = error.code().name
        if status == "DEADLINE_EXCEEDED" and self._clock() >= call.deadline:
            return Answer(status, f"{call.backend}: no answer within the deadline")
        return Answer(status, error.details() or "")

    def _left(self, call: _Call) -> float:
        return max(0.001, call.deadline - self._clock())


@dataclass(frozen=True, slots=True)
class _Call:
    backend: Backend
    method: str
    encode: Encode
    headers: Metadata
    deadline: float
    caller_is_patient: bool


class _OutdatedError(Exception):
    """The back end does not know a method of the schema that was used."""
