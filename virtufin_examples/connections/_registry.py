"""Which connector speaks for a connection: entry point group `virtufin.connectors`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

import structlog

from virtufin_examples import __version__
from virtufin_examples.connections._generic import GenericConnector
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import Connector

ENTRY_POINT_GROUP = "virtufin.connectors"
OWN_PACKAGE = "virtufin-examples"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point and what became of it: a connector, or the reason why there is none."""

    name: str
    package: str
    version: str
    connector: Connector | None = None
    problem: str = ""


class ConnectorRegistry:
    """The connectors by name; the generic one is always among them."""

    def __init__(self, connectors: Iterable[Connector] = (), broken: Sequence[Plugin] = ()) -> None:
        self._generic = GenericConnector()
        self._connectors: dict[str, Connector] = {connector.name: connector for connector in connectors}
        self._connectors[self._generic.name] = self._generic
        self._broken = {plugin.name: plugin.problem for plugin in reversed(broken)}

    @classmethod
    def installed(cls) -> ConnectorRegistry:
        """Return the connectors of all installed packages; one that cannot be used is logged, not fatal."""
        plugins = installed_plugins()
        broken = [plugin for plugin in plugins if plugin.connector is None]
        for plugin in broken:
            _log.error(
                "connector cannot be used",
                connector=plugin.name,
                package=plugin.package,
                version=plugin.version,
                error=plugin.problem,
            )
        return cls([each.connector for each in plugins if each.connector is not None], broken)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._connectors))

    def choose(self, name: str, url: str) -> Connector:
        """Return the connector of that name; without one, that which claims the URL, else the generic one."""
        if name:
            return self._by_name(name)
        return next((each for each in self._connectors.values() if _claims(each, url)), self._generic)

    def _by_name(self, name: str) -> Connector:
        connector = self._connectors.get(name)
        if connector is not None:
            return connector
        if name in self._broken:
            raise InvalidInputError(
                f"connector: {name!r} is installed but cannot be used: {self._broken[name]}",
                hint="see virtufin connectors list",
            )
        near = difflib.get_close_matches(name, self.names, 1)
        raise InvalidInputError(
            f"connector: there is no {name!r}, only {', '.join(self.names)}",
            hint=f"did you mean {near[0]!r}?" if near else "",
        )


def installed_plugins() -> tuple[Plugin, ...]:
    """Return every entry point of the group and the generic connector, the usable ones first, by name.

    Of two with one name the project's own is kept, else that of the package that comes first by name.
    """
    generic = GenericConnector()
    taken = {generic.name: Plugin(generic.name, OWN_PACKAGE, __version__, generic)}
    broken = []
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=_precedence):
        plugin = _loaded(point)
        holder = taken.get(plugin.name)
        if plugin.connector is not None and holder is not None:
            problem = f"the name {plugin.name!r} is taken by {holder.package} {holder.version}".rstrip()
            plugin = Plugin(plugin.name, plugin.package, plugin.version, problem=problem)
        if plugin.connector is None:
            broken.append(plugin)
        else:
            taken[plugin.name] = plugin
    return (*sorted(taken.values(), key=lambda each: each.name), *broken)


def _precedence(point: EntryPoint) -> tuple[bool, str, str]:
    package = _distribution(point)[0]
    return package != OWN_PACKAGE, package, point.name


def _distribution(point: EntryPoint) -> tuple[str, str]:
    dist = point.dist
    return (dist.name, dist.version) if dist is not None else ("", "")


def _loaded(point: EntryPoint) -> Plugin:
    """Load and check one entry point; whatever it does is that plugin's fault alone."""
    package, version = _distribution(point)
    try:
        made = point.load()
        connector = made() if inspect.isclass(made) else made
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin: the others must work without it
        problem = f"{type(error).__name__}: {error}"
        return Plugin(point.name, package, version, problem=problem)
    if not isinstance(connector, Connector):
        problem = f"{point.value} is no virtufin_examples.venues.Connector but {type(connector).__name__}"
        return Plugin(point.name, package, version, problem=problem)
    if connector.name != point.name:
        problem = f"the entry point is named {point.name!r}, the connector {connector.name!r}"
        return Plugin(point.name, package, version, problem=problem)
    return Plugin(point.name, package, version, connector)


def _claims(connector: Connector, url: str) -> bool:
    try:
        return connector.claims(url)
    except Exception as error:  # noqa: BLE001 - a plugin: the URL may be another's
        _log.error("connector failed", connector=connector.name, method="claims", error=repr(error))
        return False
