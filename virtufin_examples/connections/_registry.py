"""Which connector speaks for a connection: entry point group `virtufin.connectors`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib.metadata import entry_points

import structlog

from virtufin_examples.connections._generic import GenericConnector
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import Connector

ENTRY_POINT_GROUP = "virtufin.connectors"
_log = structlog.get_logger(__name__)


class ConnectorRegistry:
    """The connectors by name; the generic one is always among them."""

    def __init__(self, connectors: Iterable[Connector] = ()) -> None:
        self._generic = GenericConnector()
        self._connectors: dict[str, Connector] = {connector.name: connector for connector in connectors}
        self._connectors[self._generic.name] = self._generic

    @classmethod
    def installed(cls) -> ConnectorRegistry:
        """Return the connectors of all installed packages; one that cannot be loaded is logged, not fatal."""
        found: list[Connector] = []
        for point in entry_points(group=ENTRY_POINT_GROUP):
            try:
                found.append(point.load()())
            except Exception as error:  # noqa: BLE001 - a plugin: the others must work without it
                _log.error("connector cannot be loaded", connector=point.name, error=repr(error))
        return cls(found)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._connectors))

    def choose(self, name: str, url: str) -> Connector:
        """Return the connector of that name; without one, that which claims the URL, else the generic one."""
        if name:
            connector = self._connectors.get(name)
            if connector is None:
                near = difflib.get_close_matches(name, self.names, 1)
                raise InvalidInputError(
                    f"connector: there is no {name!r}, only {', '.join(self.names)}",
                    hint=f"did you mean {near[0]!r}?" if near else "",
                )
            return connector
        return next((each for each in self._connectors.values() if each.claims(url)), self._generic)
