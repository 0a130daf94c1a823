"""What cannot run is refused: which, where it is set, and what to do."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.get_daprd import pinned_version
from deploy.on_dapr import USUAL_PORTS
from deploy.processes import free_port, until
from deploy.redis_server import redis
from deploy.run_file import RUN_FILE, load_run_file
from deploy.sidecars import COMPONENTS, Resources, daprd, started
from tests.programs import ROOT, SCRIPT, clean_environment
from virtufin_examples.bus.dapr import DaprBus
from virtufin_examples.client import subscribe
from virtufin_examples.errors import InvalidInputError, PreconditionError, UnavailableError

IN_MEMORY = ("in-memory/pubsub.yaml", "in-memory/statestore.yaml")


def call(*arguments: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=folder,
        env=clean_environment(**environment),
        check=False,
        stdin=subprocess.DEVNULL,
    )


def program(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho {says}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("arguments", [(SCRIPT, "--platform", "dapr"), ("-m", "deploy.run_on_dapr")], ids=str)
def test_without_daprd_it_says_how_to_get_one(arguments, tmp_path):
    done = call(*arguments, folder=tmp_path, PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 1
    assert f"no daprd {pinned_version()} on PATH" in done.stderr
    assert "fix: `make daprd` builds it" in done.stderr


def test_a_daprd_that_is_too_old_is_named_with_its_version(tmp_path):
    program(tmp_path / "bin", "daprd", "1.14.4")
    done = call(
        "-m", "deploy.run_on_dapr", folder=tmp_path, PATH=f"{tmp_path}/bin", XDG_CACHE_HOME=str(tmp_path)
    )
    assert done.returncode == 1
    assert f"{tmp_path}/bin/daprd is 1.14.4, not {pinned_version()} or a later patch of it" in done.stderr


def test_without_redis_it_names_the_package(tmp_path):
    program(tmp_path / "bin", "daprd", pinned_version())
    done = call("-m", "deploy.run_on_dapr", folder=tmp_path, PATH=f"{tmp_path}/bin")
    assert done.returncode == 1
    assert "no redis-server on PATH" in done.stderr
    assert "fix: " in done.stderr


def test_a_redis_that_does_not_answer_is_named(tmp_path):
    done = call("-m", "deploy.run_on_dapr", "--redis", "127.0.0.1:1", folder=tmp_path)
    assert done.returncode == 1
    assert "no Redis answers at '127.0.0.1:1'" in done.stderr
    assert "--redis" in done.stderr


def test_a_port_that_another_platform_has_is_named(tmp_path):
    with socket.socket() as other:
        with contextlib.suppress(OSError):  # taken in earnest, which does as well
            other.bind(("127.0.0.1", USUAL_PORTS["gateway"][0]))
            other.listen()
        done = call("-m", "deploy.run_on_dapr", folder=tmp_path)
    assert done.returncode == 1
    assert f"gateway: gRPC port {USUAL_PORTS['gateway'][0]} is taken" in done.stderr
    assert "fix: " in done.stderr


def test_two_apps_of_one_app_id_are_refused(tmp_path):
    text = RUN_FILE.read_text().replace("appID: workmanager", "appID: websocketmanager")
    copy = tmp_path / "dapr.yaml"
    copy.write_text(text.replace("./components", str(COMPONENTS)))
    done = call("-m", "deploy.run_on_dapr", "--run-file", copy, folder=tmp_path)
    assert done.returncode == 2
    assert "apps[2].appID: 'websocketmanager' is apps[1] too" in done.stderr
    assert "fix: give each program an app id of its own" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("apps:", "applications:", "apps is None"),
        ('command: ["virtufin", "gateway"]', "command: virtufin gateway", "command is 'virtufin gateway'"),
        ("appID: virtufin-api", "appID: 7", r"apps\[0\]\.appID is 7"),
        ("./components/redis", "./nowhere", "nowhere is no folder"),
    ],
)
def test_a_wrong_run_file_names_field_and_value(old, new, said, tmp_path):
    copy = tmp_path / "dapr.yaml"
    copy.write_text(RUN_FILE.read_text().replace(old, new).replace("./components", str(COMPONENTS)))
    with pytest.raises(InvalidInputError, match=said):
        load_run_file(copy)


def test_the_run_file_names_our_services_and_a_sidecar_for_the_script():
    apps = load_run_file()
    assert [(app.app_id, app.service) for app in apps] == [
        ("virtufin-api", "gateway"),
        ("workmanager", "workmanager"),
        ("websocketmanager", "websocketmanager"),
        ("alpaca-example", ""),
    ]
    assert (ROOT / apps[-1].command[1]).is_file()


@pytest.mark.parametrize(
    ("files", "replace", "app_id", "said"),
    [
        (IN_MEMORY[1:], {}, "workmanager", "has no component 'pubsub': nor any other of type pubsub"),
        (
            IN_MEMORY,
            {"name: statestore": "name: states"},
            "workmanager",
            "has no component 'statestore': it has states",
        ),
        (
            IN_MEMORY,
            {"name: pubsub": "name: other", "name: statestore": "name: pubsub"},
            "workmanager",
            "component 'pubsub' of the sidecar at {at} (app id 'workmanager') is of type state.in-memory",
        ),
        (IN_MEMORY, {}, "virtufin-api", "has app id 'virtufin-api', which is the gateway's"),
    ],
    ids=["no pubsub", "another name", "wrong type", "another's app id"],
)
def test_a_service_refuses_a_sidecar_that_is_not_made_for_it(files, replace, app_id, said, tmp_path):
    resources = Resources(tmp_path / "resources", files, replace).write()
    with started(daprd(app_id, tmp_path, resources)) as sidecar:
        done = call(
            *("-m", "virtufin_examples.cli", "workmanager", "--grpc-port", "0", "--http-port", "0"),
            folder=tmp_path,
            DAPR_GRPC_PORT=sidecar.grpc.rpartition(":")[2],
        )
    assert done.returncode == 1
    assert said.format(at=sidecar.grpc) in done.stderr
    assert "fix: " in done.stderr


@pytest.mark.parametrize("token", ["", "another"])
def test_a_service_without_the_sidecars_token_says_which_variable_to_set(token, tmp_path):
    resources = Resources(tmp_path / "resources", IN_MEMORY).write()
    with started(daprd("workmanager", tmp_path, resources, token="the-token")) as sidecar:
        done = call(
            *("-m", "virtufin_examples.cli", "workmanager", "--grpc-port", "0", "--http-port", "0"),
            folder=tmp_path,
            DAPR_GRPC_PORT=sidecar.grpc.rpartition(":")[2],
            DAPR_API_TOKEN=token,
        )
    assert done.returncode == 1
    assert f"Dapr at {sidecar.grpc}" in done.stderr
    assert "fix: set DAPR_API_TOKEN to the sidecar's token" in done.stderr
    assert "the-token" not in done.stderr


def test_a_sidecar_whose_redis_is_not_reachable_names_the_component_and_the_address(tmp_path):
    nobody = f"127.0.0.1:{free_port()}"
    resources = Resources(tmp_path / "resources", ("redis/pubsub.yaml",), {"localhost:6379": nobody}).write()
    process = daprd("reader", tmp_path, resources).process
    process.spawn()
    try:
        until(lambda: process.status is not None, "daprd's end")
        assert nobody in process.log
        assert "pubsub (pubsub.redis/v1)" in process.log
    finally:
        process.end()


async def test_a_redis_that_went_away_is_named_to_whoever_publishes(tmp_path):
    with contextlib.ExitStack() as stack:
        with redis(tmp_path) as address:
            resources = Resources(tmp_path / "resources", ("redis/pubsub.yaml",), {"localhost:6379": address})
            sidecar = stack.enter_context(started(daprd("reader", tmp_path, resources.write())))
        bus = DaprBus(target=sidecar.grpc, app_id="reader")
        with pytest.raises(UnavailableError, match=rf"publish to ticks: .*{address}"):
            await bus.publish("ticks", b"x", content_type="text/plain")
        await bus.close()


async def test_a_subscriber_is_told_that_its_sidecar_has_no_such_component(tmp_path):
    resources = Resources(tmp_path / "resources", IN_MEMORY[1:]).write()
    with (
        started(daprd("reader", tmp_path, resources)) as sidecar,
        pytest.raises(PreconditionError, match="has no component 'pubsub'") as refused,
    ):
        async with subscribe("ticks", dapr=sidecar.grpc):
            pass
    assert "VIRTUFIN_PUBSUB_NAME" in refused.value.hint
