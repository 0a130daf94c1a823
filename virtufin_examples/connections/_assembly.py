"""From WebSocket frames to checked messages (RFC 6455, sections 5.2, 5.4 and 8.1). Sans-I/O."""

from __future__ import annotations

import codecs

from virtufin_examples.connections._socket import MAX_MESSAGE_BYTES, Message

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

PROTOCOL_ERROR = 1002
INVALID_TEXT = 1007
MESSAGE_TOO_BIG = 1009

_CLOSE_CODES = frozenset((*range(1000, 1004), *range(1007, 1015)))
_PRIVATE_CLOSE_CODES = range(3000, 5000)
_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


class ProtocolViolationError(Exception):
    """The peer broke the WebSocket protocol; `close_code` is the answer that it gets."""

    def __init__(self, close_code: int, reason: str) -> None:
        super().__init__(reason)
        self.close_code = close_code
        self.reason = reason


def check_close_code(code: int) -> None:
    """Refuse a code that no close frame may carry (RFC 6455, section 7.4, and IANA's registry)."""
    if code not in _CLOSE_CODES and code not in _PRIVATE_CLOSE_CODES:
        raise ProtocolViolationError(PROTOCOL_ERROR, f"close code {code} must not be sent")


class MessageAssembler:
    """Checks data frames of one socket and puts fragments together.

    Text that cannot become UTF-8 any more is refused with the fragment that spoils it. A message may have
    `max_message_bytes` at most, however many fragments it comes in. Extensions are never offered, so reserved
    bits must be clear.
    """

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self.is_idle = True
        """Whether no fragmented message has begun."""
        self._max_bytes = max_message_bytes
        self._fragments: bytearray | None = None
        self._decoder: codecs.IncrementalDecoder | None = None

    def accept(self, opcode: int, payload: bytes, *, final: bool, reserved: bool) -> Message | None:
        """Take a text, binary or continuation frame; return the message that it completes, if any.

        Raises `ProtocolViolationError`; the socket is to be closed then.
        """
        if reserved:
            raise ProtocolViolationError(PROTOCOL_ERROR, "reserved bit set, though no extension was agreed")
        if len(payload) > self._max_bytes:
            raise self._too_big(len(payload))
        if self._fragments is not None or opcode == CONTINUATION or not final:
            return self._fragment(opcode, payload, final=final)
        if opcode == TEXT:
            if not payload.isascii():
                _check_utf8(payload)
            return (payload, False)
        return (payload, True)

    def _fragment(self, opcode: int, payload: bytes, *, final: bool) -> Message | None:
        if self._fragments is None:
            if opcode == CONTINUATION:
                raise ProtocolViolationError(PROTOCOL_ERROR, "continuation frame without a message begun")
            self._fragments = bytearray()
            self.is_idle = False
            self._decoder = None if opcode == BINARY else _Utf8Decoder()
            self._append(self._fragments, payload, final=False)
            return None
        if opcode != CONTINUATION:
            raise ProtocolViolationError(PROTOCOL_ERROR, "new message inside a fragmented one")
        if len(self._fragments) + len(payload) > self._max_bytes:
            raise self._too_big(len(self._fragments) + len(payload))
        self._append(self._fragments, payload, final=final)
        if not final:
            return None
        whole = bytes(self._fragments)
        self._fragments = None
        self.is_idle = True
        return (whole, self._decoder is None)

    def _append(self, fragments: bytearray, payload: bytes, *, final: bool) -> None:
        if self._decoder is not None:
            begun = len(fragments) - len(self._decoder.getstate()[0])
            try:
                self._decoder.decode(payload, final)
            except UnicodeDecodeError as error:
                raise _no_utf8(begun + error.start) from error
        fragments += payload

    def _too_big(self, size: int) -> ProtocolViolationError:
        return ProtocolViolationError(
            MESSAGE_TOO_BIG, f"message of {size} bytes, at most {self._max_bytes} are taken"
        )


def _check_utf8(payload: bytes) -> None:
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        raise _no_utf8(error.start) from error


def _no_utf8(position: int) -> ProtocolViolationError:
    return ProtocolViolationError(INVALID_TEXT, f"text message is not UTF-8 at byte {position}")
