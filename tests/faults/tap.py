"""The venue's side of the account, read from the bytes of its sockets where they enter a proxy."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from virtufin_examples.audit import Entry, VenueAccount

_TEXT, _BINARY = 1, 2


class VenueTap:
    """Reads the frames of one WebSocket. Pure but for `now_ns`.

    A frame counts as sent when the venue sent it, whatever becomes of it: held back, swallowed or spoilt, it
    is to be delivered or to lie inside a gap. Its time is when it left the proxy, or when the link ended.
    """

    def __init__(
        self,
        account: VenueAccount,
        *,
        lane: str,
        is_control: Callable[[bytes], bool],
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._account = account
        self._lane = lane
        self._is_control = is_control
        self._now_ns = now_ns
        self._socket = account.opened(now_ns())
        self._buffer = bytearray()
        self._start = 0  # position of the buffer's first byte
        self._is_upgraded = False
        self._waiting: deque[tuple[int, Entry]] = deque()  # position behind it, entry

    def came(self, data: bytes) -> None:
        """Take what the server sent."""
        self._buffer += data
        if not self._is_upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._drop(end + 4)
            self._is_upgraded = True
        while (size := self._frame_bytes()) is not None and size <= len(self._buffer):
            self._take(size)

    def passed(self, position: int) -> None:
        """Everything before the position is on its way to the client."""
        now_ns = self._now_ns()
        while self._waiting and self._waiting[0][0] <= position:
            self._waiting.popleft()[1].sent_ns = now_ns

    def closed(self) -> None:
        """The link is gone."""
        now_ns = self._now_ns()
        for _, entry in self._waiting:
            entry.sent_ns = now_ns
        self._account.closed(self._socket, now_ns)

    def _frame_bytes(self) -> int | None:
        """Return the size of the frame at the front, head included."""
        if len(self._buffer) < 2:
            return None
        size = self._buffer[1] & 0x7F
        if size < 126:
            return 2 + size
        head = 4 if size == 126 else 10
        if len(self._buffer) < head:
            return None
        return head + int.from_bytes(self._buffer[2:head], "big")

    def _take(self, size: int) -> None:
        flag = self._buffer[1] & 0x7F
        head = 2 if flag < 126 else 4 if flag == 126 else 10
        payload = bytes(self._buffer[head:size])
        if self._buffer[0] & 0xF in (_TEXT, _BINARY):
            if self._is_control(payload):
                self._account.other(payload)
            else:
                now_ns = self._now_ns()
                entry = self._account.offered(self._socket, payload, now_ns, lane=self._lane)
                self._account.sent(entry, now_ns)
                self._waiting.append((self._start + size, entry))
        self._drop(size)

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._start += size
