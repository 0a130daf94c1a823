from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatusResponse(_message.Message):
    __slots__ = ("success", "status", "message")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    success: bool
    status: str
    message: str
    def __init__(self, success: _Optional[bool] = ..., status: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class SaveStateRequest(_message.Message):
    __slots__ = ("service", "key", "value", "etag", "include_value", "publish_change")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VALUE_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_CHANGE_FIELD_NUMBER: _ClassVar[int]
    service: str
    key: str
    value: bytes
    etag: str
    include_value: bool
    publish_change: bool
    def __init__(self, service: _Optional[str] = ..., key: _Optional[str] = ..., value: _Optional[bytes] = ..., etag: _Optional[str] = ..., include_value: _Optional[bool] = ..., publish_change: _Optional[bool] = ...) -> None: ...

class SaveStateResponse(_message.Message):
    __slots__ = ("status", "etag")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    status: StatusResponse
    etag: str
    def __init__(self, status: _Optional[_Union[StatusResponse, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class GetStateRequest(_message.Message):
    __slots__ = ("service", "key")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    service: str
    key: str
    def __init__(self, service: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class GetStateResponse(_message.Message):
    __slots__ = ("key", "value", "etag")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: bytes
    etag: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteStateRequest(_message.Message):
    __slots__ = ("service", "key", "include_value", "etag", "publish_change")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VALUE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_CHANGE_FIELD_NUMBER: _ClassVar[int]
    service: str
    key: str
    include_value: bool
    etag: str
    publish_change: bool
    def __init__(self, service: _Optional[str] = ..., key: _Optional[str] = ..., include_value: _Optional[bool] = ..., etag: _Optional[str] = ..., publish_change: _Optional[bool] = ...) -> None: ...

class DeleteStateResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: StatusResponse
    def __init__(self, status: _Optional[_Union[StatusResponse, _Mapping]] = ...) -> None: ...

class GetBulkStateRequest(_message.Message):
    __slots__ = ("service", "keys")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    service: str
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, service: _Optional[str] = ..., keys: _Optional[_Iterable[str]] = ...) -> None: ...

class StateItem(_message.Message):
    __slots__ = ("key", "value", "etag")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: bytes
    etag: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ..., etag: _Optional[str] = ...) -> None: ...

class GetBulkStateResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[StateItem]
    def __init__(self, items: _Optional[_Iterable[_Union[StateItem, _Mapping]]] = ...) -> None: ...

class DeleteBulkStateRequest(_message.Message):
    __slots__ = ("service", "keys", "publish_change")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_CHANGE_FIELD_NUMBER: _ClassVar[int]
    service: str
    keys: _containers.RepeatedScalarFieldContainer[str]
    publish_change: bool
    def __init__(self, service: _Optional[str] = ..., keys: _Optional[_Iterable[str]] = ..., publish_change: _Optional[bool] = ...) -> None: ...

class DeleteBulkStateResponse(_message.Message):
    __slots__ = ("status", "failed_keys")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FAILED_KEYS_FIELD_NUMBER: _ClassVar[int]
    status: StatusResponse
    failed_keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, status: _Optional[_Union[StatusResponse, _Mapping]] = ..., failed_keys: _Optional[_Iterable[str]] = ...) -> None: ...
