"""Dapr's and Kubernetes' resources: their schemas, and what they promise. Nothing here runs in a cluster."""

from __future__ import annotations

import copy
import re

import jsonschema
import pytest
import yaml

from tests.deploy.files import DEPLOY, KUBERNETES, RESOURCES, check, documents, metadata, workloads
from virtufin_examples.settings import PlatformSettings

WORKLOADS = {each["metadata"]["name"]: each for each in workloads()}
each_workload = pytest.mark.parametrize("name", WORKLOADS)
SECRETISH = re.compile(r"password|secret|token|keys?$", re.IGNORECASE)


def pod(name: str) -> dict:
    return WORKLOADS[name]["spec"]["template"]


def container(name: str) -> dict:
    (only,) = pod(name)["spec"]["containers"]
    return only


def environment(name: str) -> dict[str, dict]:
    return {each["name"]: each for each in container(name)["env"]}


@pytest.mark.parametrize("path", RESOURCES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_every_resource_is_of_its_schema(path):
    found = documents(path)
    assert found
    for document in found:
        check(document)


def test_the_check_refuses_what_a_cluster_would():
    good = copy.deepcopy(WORKLOADS["gateway"])
    check(good)
    for wrong in (
        lambda spec: spec["containers"][0].update(imagee="x"),
        lambda spec: spec["containers"][0]["livenessProbe"].update(periodSeconds="often"),
        lambda spec: spec["containers"][0]["resources"].update(limit={}),
    ):
        bad = copy.deepcopy(good)
        wrong(bad["spec"]["template"]["spec"])
        with pytest.raises(jsonschema.ValidationError):
            check(bad)
    component = documents(DEPLOY / "cluster" / "pubsub.yaml")[0]
    component["spec"]["metadata"][0] = {"name": 6379}
    with pytest.raises(jsonschema.ValidationError):
        check(component)


def test_the_kustomization_names_every_file_that_is_there():
    for folder in ("cluster", "kubernetes"):
        named = yaml.safe_load((DEPLOY / folder / "kustomization.yaml").read_text())["resources"]
        there = {path.name for path in KUBERNETES if path.parent.name == folder}
        assert {name for name in named if name.endswith(".yaml")} == there
        assert all((DEPLOY / folder / name).exists() for name in named)


@pytest.mark.parametrize("name", ["pubsub", "statestore"])
def test_a_cluster_has_the_settings_of_one_machine_and_what_a_network_needs(name):
    here = metadata(documents(DEPLOY / "components" / "redis" / f"{name}.yaml")[0])
    (component,) = documents(DEPLOY / "cluster" / f"{name}.yaml")
    there = metadata(component)
    further = {"redisPassword", "protectedTopics", "publishingScopes", "subscriptionScopes"}
    assert {key: there[key] for key in there if key not in further} == {**here, "redisHost": "redis:6379"}
    assert there["redisPassword"] == {"name": "redis", "key": "password"}
    assert component["auth"]["secretStore"] == "secretstore"
    assert set(component["scopes"]) >= {"virtufin-api", "workmanager", "websocketmanager"}


def test_a_cluster_retries_as_one_machine_does():
    (here,) = documents(DEPLOY / "components" / "resiliency.yaml")
    (there,) = documents(DEPLOY / "cluster" / "resiliency.yaml")
    assert here == there


def test_a_protected_topic_and_its_companion_are_in_all_three_lists():
    settings = metadata(documents(DEPLOY / "cluster" / "pubsub.yaml")[0])
    topics = set(settings["protectedTopics"].split(","))
    assert {f"{topic}.events" for topic in topics if not topic.endswith(".events")} <= topics
    publishing, subscribing = (
        {app: set(filter(None, names.split(","))) for app, names in _scopes(settings[kind])}
        for kind in ("publishingScopes", "subscriptionScopes")
    )
    assert publishing["websocketmanager"] == {*topics, "websocketmanager.lifecycle"}
    assert publishing["strategy"] == set()
    assert subscribing == {"websocketmanager": set(), "strategy": topics}


def _scopes(value: str) -> list[list[str]]:
    return [part.split("=") for part in value.split(";")]


def test_only_the_websocketmanager_reads_venues_secrets():
    for name, allowed in (("configuration", []), ("configuration-venues", ["alpaca"])):
        (configuration,) = documents(DEPLOY / "cluster" / f"{name}.yaml")
        (scope,) = configuration["spec"]["secrets"]["scopes"]
        assert (scope["defaultAccess"], scope.get("allowedSecrets", [])) == ("deny", allowed)
    configurations = {name: pod(name)["metadata"]["annotations"]["dapr.io/config"] for name in WORKLOADS}
    assert configurations == {
        "gateway": "virtufin",
        "workmanager": "virtufin",
        "websocketmanager": "virtufin-venues",
    }


@each_workload
def test_a_pod_runs_as_nobody_writes_nowhere_and_is_bounded(name):
    spec = pod(name)["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    security = container(name)["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert set(container(name)["resources"]["requests"]) == {"cpu", "memory"}
    assert "memory" in container(name)["resources"]["limits"]
    mounts = {mount["mountPath"] for mount in container(name)["volumeMounts"] if not mount.get("readOnly")}
    assert mounts == {"/tmp", "/var/lib/virtufin"}


@each_workload
def test_a_pod_is_looked_at_and_called_where_its_service_listens(name):
    probes = {
        kind: container(name)[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startupProbe": "/health/live",
        "livenessProbe": "/health/live",
        "readinessProbe": "/health/ready",
    }
    assert {probe["port"] for probe in probes.values()} == {"http"}
    ports = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
    defaults = PlatformSettings(_env_file=None)
    expected = {kind: getattr(defaults, f"{name}_{kind}_port") for kind in ("grpc", "http")}
    assert ports == expected
    (service,) = (
        each for each in documents(DEPLOY / "kubernetes" / f"{name}.yaml") if each["kind"] == "Service"
    )
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]} == expected
    assert service["spec"]["selector"].items() <= pod(name)["metadata"]["labels"].items()
    assert container(name)["args"] == [name]


@each_workload
def test_a_pod_has_a_sidecar_of_its_app_id(name):
    annotations = pod(name)["metadata"]["annotations"]
    assert annotations["dapr.io/enabled"] == "true"
    assert annotations["dapr.io/app-id"] == {"gateway": "virtufin-api"}.get(name, name)
    assert annotations["dapr.io/max-body-size"] == "16Mi"
    assert annotations["dapr.io/api-token-secret"] == "dapr-api-token"
    assert "dapr.io/app-port" not in annotations


@each_workload
def test_every_variable_of_a_pod_is_a_setting_and_no_secret_is_written_down(name):
    known = {f"VIRTUFIN_{field}".upper() for field in PlatformSettings.model_fields}
    for variable, entry in environment(name).items():
        assert variable in known
        if SECRETISH.search(variable):
            assert "secretKeyRef" in entry["valueFrom"]


@pytest.mark.parametrize("path", RESOURCES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_no_component_has_a_secret_in_it(path):
    for document in documents(path):
        if document["kind"] != "Component":
            continue
        for entry in document["spec"]["metadata"]:
            if SECRETISH.search(entry["name"]) and entry["name"] != "secretsFile":
                assert set(entry) == {"name", "secretKeyRef"}
