"""The connection core: sockets, epochs, numbering, handshake replay. It knows no gRPC and no bus."""

from virtufin_examples.connections._backoff import Backoff
from virtufin_examples.connections._budget import Scope, Scopes, Window
from virtufin_examples.connections._clock import Clock, SystemClock, VirtualClock, settle
from virtufin_examples.connections._connection import Connection
from virtufin_examples.connections._context import ConnectionSpec, Environment, url_template
from virtufin_examples.connections._continuity import Continuity, Hole
from virtufin_examples.connections._description import describe_connector, limits_in_words
from virtufin_examples.connections._generic import GenericConnector, GenericSession
from virtufin_examples.connections._handshake import Handshake, HandshakeMessage, joins_handshake
from virtufin_examples.connections._healing import Healing, Watch
from virtufin_examples.connections._hold import HoldBuffer
from virtufin_examples.connections._http import HttpClient, HttpxClient
from virtufin_examples.connections._loss import (
    MARKER_BYTES,
    Loss,
    StreamItem,
    frame_count,
    item_bytes,
    item_count,
)
from virtufin_examples.connections._memory_network import MemoryNetwork, MemoryPeer, MemoryServer
from virtufin_examples.connections._picows_network import PicowsNetwork
from virtufin_examples.connections._registry import ConnectorRegistry, Plugin, installed_plugins
from virtufin_examples.connections._secrets import SecretResolver, host_is_allowed, resolve
from virtufin_examples.connections._sequencer import BLOCK_SIZE, LOW_WATER, Grant, Ledger, Sequencer
from virtufin_examples.connections._socket import (
    MAX_MESSAGE_BYTES,
    Socket,
    SocketConnectError,
    SocketEnd,
    SocketNetwork,
    SocketSink,
    UpgradeRefusedError,
)
from virtufin_examples.connections._state import (
    ConnectionEvent,
    IllegalMoveError,
    Observer,
    State,
    StateMachine,
)
from virtufin_examples.connections._stream import Outlet, Stream
from virtufin_examples.connections._watchdog import DataWatch, LinkState, LinkWatch, Pace

__all__ = [
    "BLOCK_SIZE",
    "LOW_WATER",
    "MARKER_BYTES",
    "MAX_MESSAGE_BYTES",
    "Backoff",
    "Clock",
    "Connection",
    "ConnectionEvent",
    "ConnectionSpec",
    "ConnectorRegistry",
    "Continuity",
    "DataWatch",
    "Environment",
    "GenericConnector",
    "GenericSession",
    "Grant",
    "Handshake",
    "HandshakeMessage",
    "Healing",
    "HoldBuffer",
    "Hole",
    "HttpClient",
    "HttpxClient",
    "IllegalMoveError",
    "Ledger",
    "LinkState",
    "LinkWatch",
    "Loss",
    "MemoryNetwork",
    "MemoryPeer",
    "MemoryServer",
    "Observer",
    "Outlet",
    "Pace",
    "PicowsNetwork",
    "Plugin",
    "Scope",
    "Scopes",
    "SecretResolver",
    "Sequencer",
    "Socket",
    "SocketConnectError",
    "SocketEnd",
    "SocketNetwork",
    "SocketSink",
    "State",
    "StateMachine",
    "Stream",
    "StreamItem",
    "SystemClock",
    "UpgradeRefusedError",
    "VirtualClock",
    "Watch",
    "Window",
    "describe_connector",
    "frame_count",
    "host_is_allowed",
    "installed_plugins",
    "item_bytes",
    "item_count",
    "joins_handshake",
    "limits_in_words",
    "resolve",
    "settle",
    "url_template",
]
