"""What the tests of the spool share: items, an executor that runs at once, a look into the folder."""

from __future__ import annotations

from concurrent.futures import Executor, Future

from virtufin_examples.connections import item_bytes
from virtufin_examples.frames import Cause, Frame, FrameFlag, FrameRun, Gap, run_of
from virtufin_examples.websocketmanager.spool import Spool

PLATFORM = "platform"


class InlineExecutor(Executor):
    """Runs a call when it is submitted, so that a virtual clock need not wait for a thread."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whatever it was goes to who waits
            future.set_exception(error)
        return future


def spool_in(folder, *, holder="one", max_bytes=1 << 30, instance="me") -> Spool:
    return Spool(folder, max_bytes, holder=holder, instance=instance, executor=InlineExecutor())


async def nobody(_connection_id) -> str:
    return ""


def frame(sequence, *, connection="c1", data=b"x", epoch=1) -> FrameRun:
    frame = Frame("", connection, epoch, sequence, sequence * 10, data, FrameFlag.BINARY, 0, "wss://h/p")
    return run_of([frame])


def marker(sequence, *, connection="c1") -> Gap:
    return Gap(
        topic="",
        connection_id=connection,
        epoch_before=1,
        epoch_after=2,
        cause=Cause.RECONNECT,
        from_ns=1,
        to_ns=2,
        sequence=sequence,
    )


def size_of(items) -> int:
    return sum(map(item_bytes, items))
