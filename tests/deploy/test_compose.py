"""deploy/compose.yaml: of its schema, and what of it is a promise. No Docker runs here."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
import yaml

from deploy.get_daprd import pinned_version
from tests.deploy.files import DEPLOY, schema
from virtufin_examples.gateway._services_file import load_services
from virtufin_examples.settings import PlatformSettings

TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
APP_IDS = {"gateway": "virtufin-api", "workmanager": "workmanager", "websocketmanager": "websocketmanager"}
each_service = pytest.mark.parametrize("name", APP_IDS)


def test_it_is_of_its_schema():
    jsonschema.validate(COMPOSE, schema("compose"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"gateway": {"imagee": "x"}}}, schema("compose"))


@each_service
def test_each_service_has_a_sidecar_in_its_network(name):
    sidecar = SERVICES[f"{name}-dapr"]
    assert sidecar["network_mode"] == f"service:{name}"
    assert sidecar["image"] == f"daprio/daprd:{pinned_version()}"
    assert f"--app-id={APP_IDS[name]}" in sidecar["command"]
    assert "--max-body-size=16Mi" in sidecar["command"]
    assert {"--dapr-listen-addresses=127.0.0.1", "--dapr-internal-grpc-listen-address=127.0.0.1"} <= set(
        sidecar["command"]
    )
    assert "ports" not in sidecar
    (configuration,) = (part.split("=")[1] for part in sidecar["command"] if part.startswith("--config="))
    assert configuration in {volume.split(":")[1] for volume in sidecar["volumes"]}
    assert configuration.endswith("-venues.yaml") == (name == "websocketmanager")


def test_every_file_that_is_mounted_is_there():
    volumes = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    paths = [volume.split(":")[0] for volume in volumes if volume.startswith(".")]
    assert paths
    assert all((DEPLOY / path).is_file() for path in paths)
    build = SERVICES["gateway"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


@each_service
def test_a_service_runs_without_privileges_and_is_bounded(name):
    for service in (SERVICES[name], SERVICES[f"{name}-dapr"]):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert SERVICES[name]["command"] == [name]
    port = SERVICES[name]["environment"].get("HEALTH_PORT", "5001")
    assert int(port) == getattr(PlatformSettings(_env_file=None), f"{name}_http_port")


def test_only_the_gateway_is_reached_and_only_from_this_machine():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["gateway"]
    assert all(port.startswith("127.0.0.1:") for port in published["gateway"])


def test_every_secret_comes_from_outside():
    assert set(re.findall(r"\$\{([A-Z_]+):\?", TEXT)) == {
        "VIRTUFIN_API_KEYS",
        "REDIS_PASSWORD",
        "VENUE_SECRETS",
    }
    assert COMPOSE["secrets"]["venues"]["file"].startswith("${VENUE_SECRETS:?")


def test_the_gateway_finds_its_back_ends():
    services = load_services(DEPLOY / "compose" / "services.json")
    assert {entry.name for entry in services} == {"workmanager", "websocketmanager"} <= set(SERVICES)
    text = (DEPLOY / "kubernetes" / "gateway.yaml").read_text()
    (config, *_) = yaml.safe_load_all(text)
    assert json.loads(config["data"]["services.json"]) == json.loads(
        (DEPLOY / "compose" / "services.json").read_text()
    )
