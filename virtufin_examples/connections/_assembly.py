"""From WebSocket frames to checked messages (RFC 6455, sections 5.2, 5.4 and 8.1). Sans-I/O."""

from __future__ import annotations

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


class ProtocolViolationError(Exception):
    """The peer broke the WebSocket protocol; `close_code` is the answer that it gets."""

    def __init__(self, close_code: int, reason: str) -> None:
        super().__init__(reason)
        self.close_code = close_code
        self.reason = reason


class MessageAssembler:
    """Checks data frames of one socket and puts fragments together.

    A message may have `max_message_bytes` at most, however many fragments it comes in. Extensions are never
    offered, so reserved bits must be clear.
    """

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max_bytes = max_message_bytes
        self._fragments: bytearray | None = None
        self._fragments_binary = False

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
            self._fragments = bytearray(payload)
            self._fragments_binary = opcode == BINARY
            return None
        if opcode != CONTINUATION:
            raise ProtocolViolationError(PROTOCOL_ERROR, "new message inside a fragmented one")
        if len(self._fragments) + len(payload) > self._max_bytes:
            raise self._too_big(len(self._fragments) + len(payload))
        self._fragments += payload
        if not final:
            return None
        whole = bytes(self._fragments)
        self._fragments = None
        if not self._fragments_binary:
            _check_utf8(whole)
        return (whole, self._fragments_binary)

    def _too_big(self, size: int) -> ProtocolViolationError:
        return ProtocolViolationError(
            MESSAGE_TOO_BIG, f"message of {size} bytes, at most {self._max_bytes} are taken"
        )


def _check_utf8(payload: bytes) -> None:
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        raise ProtocolViolationError(
            INVALID_TEXT, f"text message is not UTF-8 at byte {error.start}"
        ) from error
