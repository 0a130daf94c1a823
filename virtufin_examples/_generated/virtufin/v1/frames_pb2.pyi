from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SourceKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_KIND_UNSPECIFIED: _ClassVar[SourceKind]
    SOURCE_KIND_WEBSOCKET: _ClassVar[SourceKind]
    SOURCE_KIND_PACKET: _ClassVar[SourceKind]
    SOURCE_KIND_FILE: _ClassVar[SourceKind]
    SOURCE_KIND_REST: _ClassVar[SourceKind]

class FrameFlag(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FRAME_FLAG_NONE: _ClassVar[FrameFlag]
    FRAME_FLAG_BINARY: _ClassVar[FrameFlag]
    FRAME_FLAG_BACKFILL: _ClassVar[FrameFlag]
    FRAME_FLAG_RECOVERED: _ClassVar[FrameFlag]
    FRAME_FLAG_SIMULATED: _ClassVar[FrameFlag]
SOURCE_KIND_UNSPECIFIED: SourceKind
SOURCE_KIND_WEBSOCKET: SourceKind
SOURCE_KIND_PACKET: SourceKind
SOURCE_KIND_FILE: SourceKind
SOURCE_KIND_REST: SourceKind
FRAME_FLAG_NONE: FrameFlag
FRAME_FLAG_BINARY: FrameFlag
FRAME_FLAG_BACKFILL: FrameFlag
FRAME_FLAG_RECOVERED: FrameFlag
FRAME_FLAG_SIMULATED: FrameFlag

class FrameBatch(_message.Message):
    __slots__ = ("format_version", "source_kind", "instance", "runs")
    FORMAT_VERSION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_KIND_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    format_version: int
    source_kind: SourceKind
    instance: str
    runs: _containers.RepeatedCompositeFieldContainer[FrameRun]
    def __init__(self, format_version: _Optional[int] = ..., source_kind: _Optional[_Union[SourceKind, str]] = ..., instance: _Optional[str] = ..., runs: _Optional[_Iterable[_Union[FrameRun, _Mapping]]] = ...) -> None: ...

class FrameRun(_message.Message):
    __slots__ = ("connection_id", "epoch", "first_sequence", "payloads", "first_received_ns", "received_delta_ns", "flags", "venue_sequences", "connection_url")
    CONNECTION_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    FIRST_RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_DELTA_NS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    VENUE_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_URL_FIELD_NUMBER: _ClassVar[int]
    connection_id: str
    epoch: int
    first_sequence: int
    payloads: _containers.RepeatedScalarFieldContainer[bytes]
    first_received_ns: int
    received_delta_ns: _containers.RepeatedScalarFieldContainer[int]
    flags: _containers.RepeatedScalarFieldContainer[int]
    venue_sequences: _containers.RepeatedScalarFieldContainer[int]
    connection_url: str
    def __init__(self, connection_id: _Optional[str] = ..., epoch: _Optional[int] = ..., first_sequence: _Optional[int] = ..., payloads: _Optional[_Iterable[bytes]] = ..., first_received_ns: _Optional[int] = ..., received_delta_ns: _Optional[_Iterable[int]] = ..., flags: _Optional[_Iterable[int]] = ..., venue_sequences: _Optional[_Iterable[int]] = ..., connection_url: _Optional[str] = ...) -> None: ...
