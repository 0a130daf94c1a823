"""deploy/Dockerfile: its structure, and what it installs, run in a bare directory. No image is built here."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from deploy.processes import Process, accepts, answers, free_port, running
from tests.deploy.files import DEPLOY
from tests.programs import ROOT

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
LINES = re.sub(r" *\\\n *", " ", DOCKERFILE).splitlines()  # continued ones as one
INSTRUCTIONS = [tuple(line.split(" ", 1)) for line in LINES if line and line[0] != "#"]
KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL"}
KNOWN |= {"ENTRYPOINT", "CMD"}
LAST = max(index for index, (kind, _) in enumerate(INSTRUCTIONS) if kind == "FROM")


def last_stage(kind: str) -> str:
    (value,) = (value for name, value in INSTRUCTIONS[LAST:] if name == kind)
    return value


def environment() -> dict[str, str]:
    return dict(part.split("=", 1) for part in shlex.split(last_stage("ENV")))


def test_every_line_is_an_instruction():
    assert {kind for kind, _ in INSTRUCTIONS} <= KNOWN


def test_it_is_built_in_a_stage_whose_tools_stay_behind():
    stages = [value for kind, value in INSTRUCTIONS if kind == "FROM"]
    assert len(stages) == 2
    assert all(re.match(r"python:3\.\d+-slim-\w+", stage) for stage in stages)
    copied = [value.split() for kind, value in INSTRUCTIONS[LAST:] if kind == "COPY"]
    assert ["--from=build", "/opt/virtufin", "/opt/virtufin"] in copied


def test_what_is_copied_is_there_and_let_in():
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert next(line for line in let_in if line and line[0] != "#") == "*"
    for kind, value in INSTRUCTIONS:
        if kind == "COPY" and "--from=" not in value:
            for source in value.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in let_in


def test_it_runs_as_a_number_that_is_not_root_with_a_health_check():
    user, group = last_stage("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert "/opt/virtufin/healthcheck.py" in last_stage("HEALTHCHECK")
    assert json.loads(last_stage("ENTRYPOINT")) == ["virtufin"]


def test_nothing_secret_is_in_it():
    assert not any(kind in {"ARG", "ADD"} for kind, _ in INSTRUCTIONS)
    assert not [name for name in environment() if re.search("KEY|SECRET|TOKEN|PASSWORD", name)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """What the image's first stage makes: the locked wheels with their hashes, and ours."""
    folder = tmp_path_factory.mktemp("image")
    build = " ".join(value for kind, value in INSTRUCTIONS if kind == "RUN")
    assert "--require-hashes --only-binary :all: -r requirements/run.lock" in build
    assert "hatchling build -t wheel" in build
    dist = folder / "dist"
    hatch = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", dist]
    subprocess.run(hatch, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    venv.create(folder / "virtufin")
    uv = [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet"]
    target = {**os.environ, "VIRTUAL_ENV": str(folder / "virtufin")}
    locked = ["--require-hashes", "--only-binary", ":all:", "-r", ROOT / "requirements" / "run.lock"]
    subprocess.run([*uv, *locked], env=target, check=True)
    subprocess.run([*uv, "--no-deps", *dist.glob("*.whl")], env=target, check=True)
    return folder / "virtufin"


def test_the_entry_point_runs_in_a_bare_directory(installed, tmp_path):
    home = tmp_path / "bare"
    home.mkdir()
    grpc, http, sidecar, nobody = (free_port() for _ in range(4))
    # The image's own variables, with folders and addresses of this test; nothing of the caller's.
    bare = {
        **environment(),
        "PATH": f"{installed}/bin",
        "HOME": str(home),
        "VIRTUFIN_HOST": "127.0.0.1",
        "VIRTUFIN_SPOOL_DIR": str(home / "spool"),
        "VIRTUFIN_GATEWAY_GRPC_PORT": str(grpc),
        "VIRTUFIN_GATEWAY_HTTP_PORT": str(http),
        "HEALTH_PORT": str(http),
        "DAPR_GRPC_PORT": str(sidecar),
    }
    python = installed / "bin" / "python"

    def healthy(port: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, DEPLOY / "healthcheck.py"],
            env={**bare, "HEALTH_PORT": str(port)},
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )

    def virtufin(*arguments: str) -> Process:
        variables = (f"{name}={value}" for name, value in bare.items())
        command = ["/usr/bin/env", "-i", *variables, installed / "bin" / "virtufin", *arguments]
        return Process(arguments[0], command, tmp_path, directory=home)

    runtime = virtufin("runtime", "--grpc-port", str(sidecar), "--http-port", "0")
    process = virtufin(*json.loads(last_stage("CMD")))
    with (
        running(runtime, lambda: accepts(sidecar)),
        running(process, lambda: answers(f"http://127.0.0.1:{http}/health/live")),
    ):
        assert (healthy(http).returncode, healthy(http).stderr) == (0, "")
        refused = healthy(nobody)
        assert refused.returncode == 1
        assert f"127.0.0.1:{nobody}/health/ready" in refused.stderr
    assert process.status is None
    assert not [path for path in home.iterdir() if path.name != "spool"]
