from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class JoinedMessages(_message.Message):
    __slots__ = ("initial", "messages")
    INITIAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    initial: bytes
    messages: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, initial: _Optional[bytes] = ..., messages: _Optional[_Iterable[bytes]] = ...) -> None: ...
