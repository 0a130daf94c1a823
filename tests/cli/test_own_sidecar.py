"""A service and its sidecar may start in any order, as the containers of a pod do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deploy.processes import free_port, until
from tests.programs import clean_environment, programs

CLI = ("-m", "virtufin_examples.cli")
PORTS = ("--grpc-port", "0", "--http-port", "0")
SERVICES = ("gateway", "workmanager", "websocketmanager")


def test_services_wait_for_a_sidecar_that_starts_after_them(tmp_path_factory):
    port = str(free_port())
    with programs(tmp_path_factory.mktemp("services")) as run:
        services = {
            name: run(*CLI, name, *PORTS, "--ephemeral", DAPR_GRPC_PORT=port, DAPR_HEALTH_TIMEOUT="600")
            for name in SERVICES
        }
        for name, service in services.items():
            until(lambda said=service.stderr: "waiting for the sidecar" in "".join(said), f"{name}'s word")
        run(*CLI, "runtime", "--grpc-port", port, "--http-port", "0", "--ephemeral")
        for name, service in services.items():
            assert service.until(lambda line: "grpc" in line)["service"] == name


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_without_a_sidecar_gives_up_and_names_the_settings(service):
    port = str(free_port())
    settings = {"DAPR_GRPC_PORT": port, "DAPR_HEALTH_TIMEOUT": "0"}
    done = subprocess.run(  # a process of its own: a service configures the logs of its process
        [sys.executable, *CLI, service, *PORTS],
        env={**clean_environment(), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 1
    assert f"Dapr at 127.0.0.1:{port}" in done.stderr
    assert "DAPR_GRPC_ENDPOINT or DAPR_GRPC_PORT names it" in done.stderr
    assert "DAPR_HEALTH_TIMEOUT (0 s) is how long it is waited for" in done.stderr
