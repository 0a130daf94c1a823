from __future__ import annotations

import pytest

from virtufin_examples.bus.embedded._app_subscriptions import AppSubscription, BulkOptions
from virtufin_examples.bus.embedded._resources import read_subscriptions
from virtufin_examples.bus.embedded._subscription import SubscriptionKind
from virtufin_examples.errors import InvalidInputError

DECLARATIVE = SubscriptionKind.DECLARATIVE


def test_both_versions_are_read_from_files_of_several_documents(tmp_path):
    (tmp_path / "a.yaml").write_text("""
apiVersion: dapr.io/v1alpha1
kind: Subscription
metadata: {name: one}
spec: {pubsubname: pubsub, topic: one, route: /one, deadLetterTopic: dead, metadata: {rawPayload: "true"}}
---
apiVersion: dapr.io/v2alpha1
kind: Subscription
spec: {pubsubname: pubsub, topic: two, routes: {rules: [{match: "", path: /rule}], default: /two}}
---
""")
    (tmp_path / "b.yml").write_text("""
apiVersion: dapr.io/v2alpha1
kind: Subscription
spec:
  pubsubname: pubsub
  topic: three
  routes: {default: three}
  bulkSubscribe: {enabled: true, maxMessagesCount: 7}
""")
    (tmp_path / "notes.txt").write_text("nothing of ours")

    assert read_subscriptions(tmp_path, "app") == [
        AppSubscription("one", "/one", DECLARATIVE, "dead", raw=True),
        AppSubscription("two", "/rule", DECLARATIVE),
        AppSubscription("three", "three", DECLARATIVE, bulk=BulkOptions(7, 1.0)),
    ]


def test_other_resources_and_those_of_other_apps_are_left_out(tmp_path):
    (tmp_path / "a.yaml").write_text("""
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: pubsub}
spec: {type: pubsub.redis, version: v1, metadata: []}
---
apiVersion: dapr.io/v1alpha1
kind: Subscription
spec: {pubsubname: pubsub, topic: t, route: /t}
scopes: [other]
""")

    assert read_subscriptions(tmp_path, "app") == []


def _subscription(spec: str, version: str = "dapr.io/v1alpha1") -> str:
    return f"apiVersion: {version}\nkind: Subscription\nspec: {{pubsubname: pubsub, {spec}}}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "cannot be read"),
        ("- a list", "not a resource"),
        ("kind: Subscription\nspec: {}", "apiVersion"),
        (_subscription("topic: t, route: /t", "dapr.io/v3"), "dapr.io/v3"),
        (_subscription("topic: t"), "route"),
        (_subscription("topic: t, route: /t").replace("pubsub,", "mine,"), "mine"),
        (_subscription("topic: 5, route: /t"), "topic"),
        (_subscription("topic: t, routes: {rules: [{match: event.type, path: /t}]}"), "event.type"),
        (_subscription("topic: t, route: /t, bulkSubscribe: {enabled: true, maxMessagesCount: -1}"), "-1"),
    ],
)
def test_what_cannot_be_is_refused_with_its_file(tmp_path, text, words):
    (tmp_path / "bad.yaml").write_text(text)

    with pytest.raises(InvalidInputError, match=r"bad\.yaml") as caught:
        read_subscriptions(tmp_path, "app")

    assert words in str(caught.value)


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(InvalidInputError, match="nowhere"):
        read_subscriptions(tmp_path / "nowhere", "app")
