"""Dapr's multi-app run file, as far as `deploy/dapr.yaml` and the like use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from virtufin_examples.errors import InvalidInputError

RUN_FILE = Path(__file__).parent / "dapr.yaml"
SERVICES = ("gateway", "workmanager", "websocketmanager")


@dataclass(frozen=True, slots=True)
class App:
    """A program and its sidecar. `service` is the one of ours that it is; empty: another program."""

    app_id: str
    command: tuple[str, ...]
    resources: tuple[Path, ...]
    environment: Mapping[str, str]

    @property
    def service(self) -> str:
        """The service of ours that it is, empty for another program."""
        ours = self.command[:1] == ("virtufin",) and self.command[1:2]
        return self.command[1] if ours and self.command[1] in SERVICES else ""


def load_run_file(path: Path = RUN_FILE) -> tuple[App, ...]:
    """Read it: paths in `common` are relative to the file, those of an app to its `appDirPath`.

    `InvalidInputError` names file, field, value and fix. Two apps of one app id are refused: they would share
    a consumer group and take each other's messages.
    """
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInputError(f"{path}: cannot be read: {error}") from None
    apps = document.get("apps") if isinstance(document, dict) else None
    if not isinstance(apps, list) or not apps or not all(isinstance(app, dict) for app in apps):
        raise InvalidInputError(
            f"{path}: apps is {apps!r}", hint="list at least one app, as in deploy/dapr.yaml"
        )
    common = document.get("common") or {}
    found: dict[str, int] = {}
    for position, app in enumerate(apps):
        app_id = app.get("appID")
        if not isinstance(app_id, str) or not app_id:
            raise InvalidInputError(f"{path}: apps[{position}].appID is {app_id!r}", hint="name it")
        if app_id in found:
            raise InvalidInputError(
                f"{path}: apps[{position}].appID: {app_id!r} is apps[{found[app_id]}] too",
                hint="give each program an app id of its own: on one they would share its messages",
            )
        found[app_id] = position
    return tuple(_app(path, f"apps[{position}]", app, common) for position, app in enumerate(apps))


def _app(path: Path, field: str, app: dict[str, Any], common: dict[str, Any]) -> App:
    command = app.get("command")
    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        raise InvalidInputError(
            f"{path}: {field}.command is {command!r}", hint='write a list: ["virtufin", "gateway"]'
        )
    base = path.parent
    if app.get("resourcesPaths"):
        base, given = base / app.get("appDirPath", "."), app["resourcesPaths"]
    else:
        given = common.get("resourcesPaths") or []
    resources = tuple((base / each).resolve() for each in given)
    for folder in resources:
        if not folder.is_dir():
            raise InvalidInputError(
                f"{path}: resourcesPaths of {app['appID']!r}: {folder} is no folder",
                hint="correct it: it is relative to the file in common, to appDirPath in an app",
            )
    if not resources:
        raise InvalidInputError(
            f"{path}: {app['appID']!r} has no resourcesPaths", hint="name the folder of its component files"
        )
    environment = {**(common.get("env") or {}), **(app.get("env") or {})}
    return App(
        app_id=app["appID"],
        command=tuple(command),
        resources=resources,
        environment={name: str(value) for name, value in environment.items()},
    )
