from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListConfigServicesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListConfigServicesResponse(_message.Message):
    __slots__ = ("services",)
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, services: _Optional[_Iterable[str]] = ...) -> None: ...

class GetConfigServiceRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetConfigServiceResponse(_message.Message):
    __slots__ = ("service",)
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    service: ConfigService
    def __init__(self, service: _Optional[_Union[ConfigService, _Mapping]] = ...) -> None: ...

class ConfigService(_message.Message):
    __slots__ = ("name", "dapr_app_id", "grpc", "pubsub", "state", "dapr")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DAPR_APP_ID_FIELD_NUMBER: _ClassVar[int]
    GRPC_FIELD_NUMBER: _ClassVar[int]
    PUBSUB_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DAPR_FIELD_NUMBER: _ClassVar[int]
    name: str
    dapr_app_id: str
    grpc: GrpcConfig
    pubsub: PubsubConfig
    state: StateConfig
    dapr: DaprEndpoint
    def __init__(self, name: _Optional[str] = ..., dapr_app_id: _Optional[str] = ..., grpc: _Optional[_Union[GrpcConfig, _Mapping]] = ..., pubsub: _Optional[_Union[PubsubConfig, _Mapping]] = ..., state: _Optional[_Union[StateConfig, _Mapping]] = ..., dapr: _Optional[_Union[DaprEndpoint, _Mapping]] = ...) -> None: ...

class GrpcConfig(_message.Message):
    __slots__ = ("host", "port", "reflection_enabled")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    REFLECTION_ENABLED_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    reflection_enabled: bool
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ..., reflection_enabled: _Optional[bool] = ...) -> None: ...

class PubsubConfig(_message.Message):
    __slots__ = ("pubsub_name",)
    PUBSUB_NAME_FIELD_NUMBER: _ClassVar[int]
    pubsub_name: str
    def __init__(self, pubsub_name: _Optional[str] = ...) -> None: ...

class StateConfig(_message.Message):
    __slots__ = ("store_name",)
    STORE_NAME_FIELD_NUMBER: _ClassVar[int]
    store_name: str
    def __init__(self, store_name: _Optional[str] = ...) -> None: ...

class DaprEndpoint(_message.Message):
    __slots__ = ("grpc_endpoint", "http_endpoint")
    GRPC_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    HTTP_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    grpc_endpoint: str
    http_endpoint: str
    def __init__(self, grpc_endpoint: _Optional[str] = ..., http_endpoint: _Optional[str] = ...) -> None: ...
