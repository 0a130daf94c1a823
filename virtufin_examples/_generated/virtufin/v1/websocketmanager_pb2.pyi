from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConnectRequest(_message.Message):
    __slots__ = ("url", "auto_reconnect", "tags", "connector", "options", "owner", "lease_seconds")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class OptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    URL_FIELD_NUMBER: _ClassVar[int]
    AUTO_RECONNECT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    LEASE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    url: str
    auto_reconnect: bool
    tags: _containers.ScalarMap[str, str]
    connector: str
    options: _containers.ScalarMap[str, str]
    owner: str
    lease_seconds: int
    def __init__(self, url: _Optional[str] = ..., auto_reconnect: _Optional[bool] = ..., tags: _Optional[_Mapping[str, str]] = ..., connector: _Optional[str] = ..., options: _Optional[_Mapping[str, str]] = ..., owner: _Optional[str] = ..., lease_seconds: _Optional[int] = ...) -> None: ...

class ConnectResponse(_message.Message):
    __slots__ = ("id", "status")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    id: str
    status: str
    def __init__(self, id: _Optional[str] = ..., status: _Optional[str] = ...) -> None: ...

class ConnectionTagFilter(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class ListConnectionsRequest(_message.Message):
    __slots__ = ("filters",)
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    filters: _containers.RepeatedCompositeFieldContainer[ConnectionTagFilter]
    def __init__(self, filters: _Optional[_Iterable[_Union[ConnectionTagFilter, _Mapping]]] = ...) -> None: ...

class ListConnectionsResponse(_message.Message):
    __slots__ = ("connections",)
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    connections: _containers.RepeatedCompositeFieldContainer[WebSocketConnection]
    def __init__(self, connections: _Optional[_Iterable[_Union[WebSocketConnection, _Mapping]]] = ...) -> None: ...

class WebSocketConnection(_message.Message):
    __slots__ = ("id", "url", "status", "topic", "instance_id", "content_type", "tags", "owner", "connector", "epoch", "last_sequence", "last_received_ns", "restorable", "simulated", "reason", "encoding", "frames", "reconnects", "held_bytes", "queued_bytes", "auto_reconnect", "wanted_symbols", "acknowledged_symbols", "stale_symbols", "spooled_bytes", "backfill", "asked_again")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    RESTORABLE_FIELD_NUMBER: _ClassVar[int]
    SIMULATED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    RECONNECTS_FIELD_NUMBER: _ClassVar[int]
    HELD_BYTES_FIELD_NUMBER: _ClassVar[int]
    QUEUED_BYTES_FIELD_NUMBER: _ClassVar[int]
    AUTO_RECONNECT_FIELD_NUMBER: _ClassVar[int]
    WANTED_SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    STALE_SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    SPOOLED_BYTES_FIELD_NUMBER: _ClassVar[int]
    BACKFILL_FIELD_NUMBER: _ClassVar[int]
    ASKED_AGAIN_FIELD_NUMBER: _ClassVar[int]
    id: str
    url: str
    status: str
    topic: str
    instance_id: str
    content_type: str
    tags: _containers.ScalarMap[str, str]
    owner: str
    connector: str
    epoch: int
    last_sequence: int
    last_received_ns: int
    restorable: bool
    simulated: bool
    reason: str
    encoding: str
    frames: int
    reconnects: int
    held_bytes: int
    queued_bytes: int
    auto_reconnect: bool
    wanted_symbols: _containers.RepeatedScalarFieldContainer[str]
    acknowledged_symbols: _containers.RepeatedScalarFieldContainer[str]
    stale_symbols: _containers.RepeatedScalarFieldContainer[str]
    spooled_bytes: int
    backfill: str
    asked_again: int
    def __init__(self, id: _Optional[str] = ..., url: _Optional[str] = ..., status: _Optional[str] = ..., topic: _Optional[str] = ..., instance_id: _Optional[str] = ..., content_type: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ..., owner: _Optional[str] = ..., connector: _Optional[str] = ..., epoch: _Optional[int] = ..., last_sequence: _Optional[int] = ..., last_received_ns: _Optional[int] = ..., restorable: _Optional[bool] = ..., simulated: _Optional[bool] = ..., reason: _Optional[str] = ..., encoding: _Optional[str] = ..., frames: _Optional[int] = ..., reconnects: _Optional[int] = ..., held_bytes: _Optional[int] = ..., queued_bytes: _Optional[int] = ..., auto_reconnect: _Optional[bool] = ..., wanted_symbols: _Optional[_Iterable[str]] = ..., acknowledged_symbols: _Optional[_Iterable[str]] = ..., stale_symbols: _Optional[_Iterable[str]] = ..., spooled_bytes: _Optional[int] = ..., backfill: _Optional[str] = ..., asked_again: _Optional[int] = ...) -> None: ...

class DisconnectRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DisconnectResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DisconnectOwnedRequest(_message.Message):
    __slots__ = ("owner",)
    OWNER_FIELD_NUMBER: _ClassVar[int]
    owner: str
    def __init__(self, owner: _Optional[str] = ...) -> None: ...

class DisconnectOwnedResponse(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class StartPublishRequest(_message.Message):
    __slots__ = ("id", "topic", "encoding", "overflow", "markers")
    ID_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_FIELD_NUMBER: _ClassVar[int]
    MARKERS_FIELD_NUMBER: _ClassVar[int]
    id: str
    topic: str
    encoding: str
    overflow: str
    markers: str
    def __init__(self, id: _Optional[str] = ..., topic: _Optional[str] = ..., encoding: _Optional[str] = ..., overflow: _Optional[str] = ..., markers: _Optional[str] = ...) -> None: ...

class StartPublishResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopPublishRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class StopPublishResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SendRequest(_message.Message):
    __slots__ = ("id", "message", "timeout_ms", "content_type")
    ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    id: str
    message: bytes
    timeout_ms: int
    content_type: str
    def __init__(self, id: _Optional[str] = ..., message: _Optional[bytes] = ..., timeout_ms: _Optional[int] = ..., content_type: _Optional[str] = ...) -> None: ...

class SendResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: bytes
    def __init__(self, response: _Optional[bytes] = ...) -> None: ...

class SendRawRequest(_message.Message):
    __slots__ = ("id", "message", "content_type", "secrets", "replay")
    ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    id: str
    message: bytes
    content_type: str
    secrets: bool
    replay: bool
    def __init__(self, id: _Optional[str] = ..., message: _Optional[bytes] = ..., content_type: _Optional[str] = ..., secrets: _Optional[bool] = ..., replay: _Optional[bool] = ...) -> None: ...

class SendRawResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RenewConnectionLeaseRequest(_message.Message):
    __slots__ = ("owner",)
    OWNER_FIELD_NUMBER: _ClassVar[int]
    owner: str
    def __init__(self, owner: _Optional[str] = ...) -> None: ...

class RenewConnectionLeaseResponse(_message.Message):
    __slots__ = ("renewed",)
    RENEWED_FIELD_NUMBER: _ClassVar[int]
    renewed: int
    def __init__(self, renewed: _Optional[int] = ...) -> None: ...

class SetConnectionTagRequest(_message.Message):
    __slots__ = ("id", "key", "value")
    ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    id: str
    key: str
    value: str
    def __init__(self, id: _Optional[str] = ..., key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class SetConnectionTagResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetConnectionTagRequest(_message.Message):
    __slots__ = ("id", "key")
    ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    id: str
    key: str
    def __init__(self, id: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class GetConnectionTagResponse(_message.Message):
    __slots__ = ("value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    value: str
    def __init__(self, value: _Optional[str] = ...) -> None: ...

class SetConnectionTagsRequest(_message.Message):
    __slots__ = ("id", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    id: str
    tags: _containers.ScalarMap[str, str]
    def __init__(self, id: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class SetConnectionTagsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetConnectionTagsRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetConnectionTagsResponse(_message.Message):
    __slots__ = ("tags",)
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TAGS_FIELD_NUMBER: _ClassVar[int]
    tags: _containers.ScalarMap[str, str]
    def __init__(self, tags: _Optional[_Mapping[str, str]] = ...) -> None: ...
