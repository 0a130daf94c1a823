"""Which connector speaks for a connection."""

from __future__ import annotations

import pytest

from virtufin_examples.connections import ConnectorRegistry, GenericConnector
from virtufin_examples.errors import InvalidInputError


class Venue(GenericConnector):
    name = "venue"

    def claims(self, url):
        return "venue.example" in url


def test_by_name_else_by_url_else_generic():
    registry = ConnectorRegistry([Venue()])
    assert registry.choose("", "wss://venue.example/").name == "venue"
    assert registry.choose("", "wss://elsewhere.example/").name == "generic"
    assert registry.choose("venue", "ws://127.0.0.1/").name == "venue"
    assert registry.choose("generic", "wss://venue.example/").name == "generic"
    with pytest.raises(InvalidInputError, match=r"no 'venu', only generic, venue \(did you mean 'venue'"):
        registry.choose("venu", "wss://x/")


def test_alpacas_connector_is_found():
    assert (
        ConnectorRegistry.installed().choose("", "wss://stream.data.alpaca.markets/v2/iex").name == "alpaca"
    )
