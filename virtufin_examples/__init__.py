"""Turns exchange and broker WebSockets into Dapr topics, and announces every gap."""

__version__ = "0.1.0"
