"""Declarative subscriptions: the files of kind Subscription in a resources folder."""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog
import yaml

from virtufin_examples.bus.embedded._app_subscriptions import (
    AppSubscription,
    SubscriptionEntry,
    app_subscription,
)
from virtufin_examples.bus.embedded._subscription import SubscriptionKind
from virtufin_examples.errors import InvalidInputError

SUFFIXES = (".yaml", ".yml")
KIND = "Subscription"
API_VERSIONS = ("dapr.io/v1alpha1", "dapr.io/v2alpha1")

_log = structlog.get_logger(__name__)


class _Document(msgspec.Struct):
    api_version: str = msgspec.field(name="apiVersion")
    spec: SubscriptionEntry
    scopes: list[str] | None = None


def read_subscriptions(folder: Path, app_id: str) -> list[AppSubscription]:
    """Return the subscriptions of an app id, in the order of the files' names.

    Components and other resources are not used: the runtime has its own. Raises `InvalidInputError` with
    the file for a folder that is none, a file that is no YAML and a subscription that cannot be.
    """
    if not folder.is_dir():
        raise InvalidInputError(f"resources path {str(folder)!r} is no folder")
    found: list[AppSubscription] = []
    unused: set[str] = set()
    for path in sorted(folder.iterdir()):
        if path.suffix not in SUFFIXES:
            continue
        for document in _documents(path):
            kind = str(document.get("kind"))
            if kind != KIND:
                unused.add(kind)
                continue
            subscription = _subscription(document, app_id, path.name)
            if subscription is not None:
                found.append(subscription)
    if unused:
        _log.info(
            "resources that the embedded runtime does not use", folder=str(folder), kinds=sorted(unused)
        )
    return found


def _documents(path: Path) -> list[dict[str, object]]:
    try:
        documents = [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInputError(f"{path.name} cannot be read: {error}") from error
    for document in documents:
        if not isinstance(document, dict):
            raise InvalidInputError(f"{path.name} holds {type(document).__name__}, not a resource")
    return documents


def _subscription(document: dict[str, object], app_id: str, source: str) -> AppSubscription | None:
    try:
        given = msgspec.convert(document, _Document)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"{source}: {error}") from error
    if given.api_version not in API_VERSIONS:
        raise InvalidInputError(
            f"{source}: apiVersion is {given.api_version!r}", hint=f"it is one of {', '.join(API_VERSIONS)}"
        )
    if given.scopes and app_id not in given.scopes:
        return None
    subscription = app_subscription(given.spec, SubscriptionKind.DECLARATIVE, source)
    if not subscription.path:
        raise InvalidInputError(
            f"{source}: the subscription to topic {subscription.topic!r} has no route",
            hint="give route (v1alpha1) or routes.default (v2alpha1)",
        )
    return subscription
