"""The whole platform on Dapr: our services and the example behind daprds of their own, on Redis."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest

from deploy.on_dapr import OnDapr, prepare, running_on_dapr
from deploy.run_file import load_run_file
from deploy.sidecars import daprd, started
from tests.programs import (
    ROOT,
    SCRIPT,
    Program,
    eventually_none,
    keys_of,
    programs,
    start_simulator,
    write_settings,
)
from virtufin_examples.bus.embedded import secrets_from_environment

LINE = json.loads((ROOT / "docs" / "example-output.schema.json").read_text())
START_SECONDS = 50.0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start programs in a folder of the test's own; whatever is left of them at the end is a failure."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    with programs(tmp_path) as run:
        yield lambda *arguments, **environment: run(
            *arguments, **{"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT), **environment}
        )
    assert not eventually_none(lambda: left_of(tmp_path), seconds=20)


def left_of(folder: Path) -> list[object]:
    """What a platform has left: processes that work in its temporary folder, and the folder."""
    return [*processes_under(folder / "tmp"), *(folder / "tmp").iterdir()]


def processes_under(folder: Path) -> list[Path]:
    """What runs in a folder below this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder in (process / "cwd").readlink().parents:
                found.append(process)
    return found


def check_lines(run: Program) -> None:
    for line in run.lines:
        jsonschema.validate(line, LINE)


@pytest.mark.parametrize("engine", ["dotnet", "python"])
def test_the_example_runs_on_dapr_as_on_the_embedded_platform(start, engine):
    run = start(SCRIPT, "--platform", "dapr", "--frames", "50", "--json", "--engine", engine)
    assert run.end(timeout=START_SECONDS) == 0, "".join(run.stderr)
    check_lines(run)
    frames = run.events("frame")
    assert [frame["sequence"] for frame in frames] == list(range(1, 51))
    summary = run.lines[-1]
    assert (summary["platform"], summary["upstream"], summary["engine"]) == ("dapr", "simulator", engine)
    assert (summary["frames"], summary["gaps"]) == (50, 0)
    names = [line["step"] for line in run.events("step")]
    assert {"start platform", "create worker", "publish", "handshake"} <= set(names)
    assert names[-5:] == ["disconnect", "stop worker", "delete worker", "list", "ListWorkers"]


def test_a_person_sees_what_is_started_and_no_line_is_wider_than_a_terminal(start, tmp_path):
    said = tmp_path / "said"
    code = (
        "import subprocess, sys; out = open(sys.argv[1], 'w');"
        "sys.exit(subprocess.call([sys.executable, *sys.argv[2:]], stdout=out))"
    )
    run = start("-c", code, said, SCRIPT, "--platform", "dapr", "--duration", "0.5", "--engine", "python")
    assert run.end(timeout=START_SECONDS) == 0, "".join(run.stderr)
    progress = [line.strip() for line in run.stderr]
    assert [line.split()[1] for line in progress] == ["Redis", "4", "gateway,"]
    text = said.read_text()
    assert "(on Dapr)" in text
    assert "platform dapr" in text
    header_and_steps = text.partition("\n       1  ")[0]
    assert max(map(len, [*progress, *header_and_steps.splitlines()])) <= 80


def test_interrupted_while_it_starts_it_leaves_nothing(start, tmp_path):
    run = start(SCRIPT, "--platform", "dapr", "--json")
    while not processes_under(tmp_path / "tmp"):  # Redis, the first of them
        assert run.process.poll() is None
    assert run.end(signal.SIGINT) == 1
    assert "interrupted" in run.stderr[-1]


def test_interrupted_while_data_come_it_ends_well(start):
    run = start(SCRIPT, "--platform", "dapr", "--json", "--engine", "python")
    run.event("frame", timeout=START_SECONDS)
    assert run.end(signal.SIGINT) == 0
    assert run.lines[-1]["event"] == "summary"


def test_the_script_is_killed_and_its_platform_ends(start):
    run = start(SCRIPT, "--platform", "dapr", "--json", "--engine", "python")
    run.event("frame", timeout=START_SECONDS)
    assert run.end(signal.SIGKILL) == -signal.SIGKILL


def test_the_launcher_is_killed_and_all_that_it_started_ends(start, tmp_path):
    run = start("-m", "deploy.run_on_dapr", "--ephemeral")
    run.until(lambda line: "gateway" in line, timeout=START_SECONDS)
    assert len(left_of(tmp_path)) > 5  # Redis, four daprds, and their folder
    assert run.end(signal.SIGKILL) == -signal.SIGKILL


def test_a_sidecar_that_dies_ends_the_run_and_is_named(start, tmp_path):
    run = start(SCRIPT, "--platform", "dapr", "--json", "--engine", "python")
    run.event("frame", timeout=START_SECONDS)
    (sidecar,) = (
        process
        for process in processes_under(tmp_path / "tmp")
        if "--app-id workmanager" in process.joinpath("cmdline").read_text().replace("\0", " ")
    )
    os.kill(int(sidecar.name), signal.SIGKILL)
    assert run.end() == 1
    assert "daprd-workmanager ended with status -9" in "".join(run.stderr)


@dataclass(frozen=True)
class Shared:
    """A platform for several tests, and a simulator whose keys are in its secret store."""

    platform: OnDapr
    folder: Path
    simulator: dict
    run: Callable[..., Program]

    def environment(self, sidecar: str = "") -> dict[str, str]:
        """What a program on it is told: the gateway, and a sidecar."""
        own = sidecar or self.platform.sidecars["alpaca-example"].grpc
        return {"VIRTUFIN_API_URL": self.platform.gateway, "DAPR_GRPC_ENDPOINT": own}

    def settings(self, topic: str) -> Path:
        """Settings of a feed from the simulator; its keys are references."""
        return write_settings(self.folder / f"{topic}.json", self.simulator, topic=topic)

    def example(self, topic: str, *, frames: int) -> tuple[str | Path, ...]:
        """The script, for so many frames of that feed."""
        flags = ("--json", "--engine", "python", "--frames", str(frames))
        return (SCRIPT, *flags, "--settings", self.settings(topic))


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("shared")
    with programs(tmp_path_factory.mktemp("programs")) as run:
        simulator = start_simulator(run)
        platform = prepare(
            load_run_file(), folder, secrets=secrets_from_environment(keys_of(simulator)), directory=folder
        )
        with running_on_dapr(platform):
            yield Shared(platform, folder, simulator, run)


@pytest.fixture
def topic() -> str:
    return f"books-{uuid.uuid4().hex[:8]}"


def numbers_told(run: Program) -> list[int]:
    """The numbers of the run's frames and of those that it named as missing."""
    named = [
        range(gap["first_sequence"], gap["last_sequence"] + 1)
        for gap in run.events("gap")
        if "first_sequence" in gap
    ]
    frames = [frame["sequence"] for frame in run.events("frame")]
    return sorted([*frames, *itertools.chain.from_iterable(named)])


def connections_of(run: Program) -> set[str]:
    return {frame["connection_id"] for frame in run.events("frame")}


def test_frames_of_an_earlier_run_are_not_taken_for_its_own(shared, topic):
    """Redis keeps them, and hands them to an app id that it has not seen from the first one on."""
    arguments = (
        SCRIPT,
        "--json",
        "--frames",
        "50",
        "--engine",
        "python",
        "--settings",
        shared.settings(topic),
    )
    first = shared.run(*arguments, **shared.environment())
    assert first.end() == 0, "".join(first.stderr)
    again = shared.run(*arguments, **shared.environment())
    assert again.end() == 0, "".join(again.stderr)
    resources = shared.folder / "alpaca-example" / "resources"
    with started(daprd("newcomer", shared.folder / "newcomer", resources)) as newcomer:
        fresh = shared.run(*arguments, **shared.environment(newcomer.grpc))
        assert fresh.end() == 0, "".join(fresh.stderr)
    for run in (first, again, fresh):
        check_lines(run)
        assert len(connections_of(run)) == 1
        told = numbers_told(run)  # Redis may keep back the first one of a run that follows another at once
        assert told == list(range(1, len(told) + 1))
        assert len(run.events("frame")) == 50
        assert run.lines[-1]["platform"] == "dapr"
    assert len(set.union(*map(connections_of, (first, again, fresh)))) == 3


def test_the_keys_of_a_feed_come_from_a_secret_store_and_are_on_no_topic(shared, topic):
    arguments = (
        SCRIPT,
        "--json",
        "--frames",
        "10",
        "--engine",
        "python",
        "--settings",
        shared.settings(topic),
    )
    run = shared.run(*arguments, **shared.environment())
    assert run.end() == 0, "".join(run.stderr)
    assert shared.simulator["secret"] not in json.dumps(run.lines)
    assert run.lines[-1]["upstream"] == "simulator"


def test_a_subscriber_and_the_status_command_read_at_a_sidecar_of_their_own(shared, topic):
    cli = ("-m", "virtufin_examples.cli")
    settings = shared.settings(topic)
    feed = shared.run(*cli, "feed", "start", settings, "--engine", "python", "--json", **shared.environment())
    assert feed.end() == 0, "".join(feed.stderr)
    resources = shared.folder / "alpaca-example" / "resources"
    with started(daprd("downstream", shared.folder / "downstream", resources)) as downstream:
        environment = shared.environment(downstream.grpc)
        reader = shared.run(*cli, "subscribe", topic, "--json", "--count", "20", **environment)
        assert reader.end() == 0, "".join(reader.stderr)
        sequences = [line["sequence"] for line in reader.events("frame")]
        assert sequences == list(range(sequences[0], sequences[0] + 20))
        status = shared.run(*cli, "status", topic, "--json", **environment)
        assert status.end() == 0, "".join(status.stderr)
    stop = shared.run(*cli, "feed", "stop", feed.lines[-1]["run"], "--json", **shared.environment())
    assert stop.end() == 0, "".join(stop.stderr)


@pytest.mark.parametrize("service", ["gateway", "workmanager", "websocketmanager"])
def test_a_service_is_ended_and_comes_back_and_feeds_open_again(shared, topic, service):
    process = shared.platform.services[service]
    process.process.end(signal.SIGKILL)
    process.start()
    run = shared.run(*shared.example(topic, frames=10), **shared.environment())
    assert run.end() == 0, "".join(run.stderr)
    told = numbers_told(run)
    assert told == list(range(1, len(told) + 1))
