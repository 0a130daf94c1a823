"""The lease that lets one WorkManager at a time recover workers."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from virtufin_examples.bus import Bus
from virtufin_examples.errors import ConflictError, UnavailableError

LEASE_KEY = "workmanager.recovery"
LEASE_SECONDS = 60
ACQUIRE_SECONDS = 30.0
POLL_SECONDS = 0.2


class _Lease(msgspec.Struct, frozen=True):
    owner: str
    ends_at: float  # Unix time: compared across machines


@contextlib.asynccontextmanager
async def recovery_lease(
    bus: Bus,
    *,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[None]:
    """Hold the lease while the block runs; `UnavailableError` when another holds it for 30 s."""
    owner = uuid.uuid4().hex
    give_up_at = now() + ACQUIRE_SECONDS
    while not await _take(bus, _Lease(owner, now() + LEASE_SECONDS), now()):
        if now() >= give_up_at:
            raise UnavailableError(
                f"another WorkManager has been recovering workers for {ACQUIRE_SECONDS:g} s",
                hint="call RecoverWorkers when it is done",
            )
        await sleep(POLL_SECONDS)
    try:
        yield
    finally:
        entry = await bus.get_state(LEASE_KEY)
        if entry is not None and _holder(entry.value).owner == owner:
            with contextlib.suppress(ConflictError):  # lapsed, and taken by another
                await bus.delete_state(LEASE_KEY, etag=entry.etag)


async def _take(bus: Bus, lease: _Lease, now: float) -> bool:
    entry = await bus.get_state(LEASE_KEY)
    value = msgspec.json.encode(lease)
    try:
        if entry is None:
            await bus.save_state(LEASE_KEY, value, create=True, ttl_seconds=LEASE_SECONDS)
        elif _holder(entry.value).ends_at <= now:
            await bus.save_state(LEASE_KEY, value, etag=entry.etag, ttl_seconds=LEASE_SECONDS)
        else:
            return False
    except ConflictError:
        return False
    return True


def _holder(value: bytes) -> _Lease:
    try:
        return msgspec.json.decode(value, type=_Lease)
    except msgspec.MsgspecError:
        return _Lease("", 0.0)  # unreadable: nobody's
