"""The worker's way to the API gateway: calls go over the pipe, answers come back by number."""

from __future__ import annotations

import itertools
import queue
import threading

from virtufin_examples.workmanager._wire import GatewayCall, GatewayResult
from virtufin_examples.workmanager.host._channel import Channel


class HostGateway:
    """What a worker is handed. `invoke` may be called from any thread, also from several at once."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[GatewayResult]] = {}

    def invoke(self, service: str, method: str, request_json: str) -> str:
        """Call a service; raises `RuntimeError("<STATUS>: <message>")` when the call failed."""
        answer: queue.SimpleQueue[GatewayResult] = queue.SimpleQueue()
        number = next(self._numbers)
        with self._lock:
            self._waiting[number] = answer
        # The WorkManager always answers, within its own time limit.
        self._channel.send(
            GatewayCall(id=number, service=str(service), method=str(method), request=str(request_json))
        )
        result = answer.get()
        if not result.success:
            raise RuntimeError(f"{result.status}: {result.message}")
        return result.response

    def answered(self, result: GatewayResult) -> None:
        """Hand an answer to the thread that waits for it."""
        with self._lock:
            waiting = self._waiting.pop(result.id, None)
        if waiting is not None:
            waiting.put(result)
