"""The host's two threads: one reads messages, the main thread runs the worker.

The reader answers pings while the worker works, and ends the process when the WorkManager goes away,
whatever the worker is doing.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
import traceback
from typing import Any, NoReturn

import msgspec

from virtufin_examples.errors import VirtufinError, WorkerError
from virtufin_examples.workmanager._wire import (
    Error,
    Failed,
    GatewayResult,
    Load,
    Ping,
    Pong,
    Process,
    Ready,
    Result,
    Shutdown,
)
from virtufin_examples.workmanager.engines import find_engine
from virtufin_examples.workmanager.engines._engine import LoadedWorker
from virtufin_examples.workmanager.host._channel import Channel, take_over_stdio
from virtufin_examples.workmanager.host._gateway import HostGateway

_PR_SET_PDEATHSIG = 1  # prctl(2)
_MAX_ERROR_CHARACTERS = 2000
_NULL = msgspec.Raw(b"null")

Work = Load | Process | Shutdown


def main() -> NoReturn:
    """Run until told to end."""
    _die_with_parent()
    channel = take_over_stdio()
    gateway = HostGateway(channel)
    inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(channel, gateway, inbox), name="host-reader", daemon=True).start()
    status = 1
    try:
        status = _work(channel, gateway, inbox)
    except BrokenPipeError:
        status = 0  # the WorkManager is gone
    except SystemExit as error:  # the worker called sys.exit
        status = error.code if isinstance(error.code, int) else 1
        sys.stderr.write(f"the worker called sys.exit({error.code!r})\n")
    finally:
        _end(status)


def _end(status: int) -> NoReturn:
    # Not sys.exit: a runtime's shutdown, or a thread that the worker left behind, could hang here.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _die_with_parent() -> None:
    """Have the kernel end this process with its parent: code that holds the GIL would stall the reader."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _read(channel: Channel, gateway: HostGateway, inbox: queue.SimpleQueue[Work]) -> None:
    try:
        while (message := channel.receive()) is not None:
            match message:
                case GatewayResult():
                    gateway.answered(message)
                case Ping(id=number):
                    channel.send(Pong(id=number))
                case _:
                    inbox.put(message)
    except Exception:  # noqa: BLE001 - nobody above: say it and end
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _work(channel: Channel, gateway: HostGateway, inbox: queue.SimpleQueue[Work]) -> int:
    worker: LoadedWorker | None = None
    while True:
        message = inbox.get()
        if isinstance(message, Load):
            worker = _load(channel, gateway, message)
            if worker is None:
                return 1
        elif isinstance(message, Process):
            _answer(channel, worker, message)
        else:
            return 0


def _load(channel: Channel, gateway: HostGateway, message: Load) -> LoadedWorker | None:
    try:
        engine = find_engine(message.mime_type)
        worker = engine.load(message.code, worker_id=message.worker_id, topic=message.topic, gateway=gateway)
    except Exception as error:  # noqa: BLE001 - whatever the worker's code raises
        _show(error)
        channel.send(Failed(message=describe(error)))
        return None
    channel.send(Ready(runtime=worker.runtime, language=engine.language))
    return worker


def _answer(channel: Channel, worker: LoadedWorker | None, message: Process) -> None:
    try:
        channel.send(Result(id=message.id, event=_process(worker, message)))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the worker's code raises
        _show(error)
        channel.send(Error(id=message.id, message=describe(error)))


def _process(worker: LoadedWorker | None, message: Process) -> msgspec.Raw:
    """Return the answer for the message, which it must not break: a JSON object or null."""
    if worker is None:
        raise WorkerError("no code is loaded")
    answer = worker.process(bytes(message.event))
    if answer is None:
        return _NULL
    try:
        msgspec.json.decode(answer, type=dict[str, object])
    except msgspec.MsgspecError as error:
        raise WorkerError(
            f"Process returned no CloudEvent: {error}", hint="return a JSON object, or null for no event"
        ) from error
    return msgspec.Raw(answer)


def _show(error: Exception) -> None:
    if not isinstance(error, VirtufinError):
        traceback.print_exception(error)


def describe(error: Exception) -> str:
    """Return an error in one line: our own as they are, a worker's with its type."""
    if isinstance(error, VirtufinError):
        return str(error)
    dotnet: Any = error  # .NET exceptions carry their text without the stack in `Message`
    text = str(getattr(dotnet, "Message", "") or error)
    return f"{type(error).__name__}: {text}"[:_MAX_ERROR_CHARACTERS]
