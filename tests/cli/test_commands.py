"""The commands against a platform with a feed, for people and as JSON lines."""

from __future__ import annotations

import signal
import urllib.request
from pathlib import Path

import pytest

from deploy.processes import until
from tests.cli.conftest import TOPIC, Platform, call
from tests.client.recording_parts import items_of, write_recording
from tests.frames.recording_samples import ITEMS
from tests.programs import programs
from virtufin_examples.frames import Frame


def test_the_feed_its_worker_and_its_connection_are_listed(platform: Platform) -> None:
    (feed,) = platform.call("feed", "list", "--json").lines
    (worker,) = platform.call("workers", "list", "--json").lines
    (connection,) = platform.call("connections", "list", "--json").lines
    assert (feed["event"], feed["topic"], feed["status"]) == ("feed", TOPIC, "connected")
    assert (feed["worker"], feed["connection"]) == (worker["id"], connection["id"])
    for command, word in (
        ("feed", feed["run"]),
        ("workers", worker["id"]),
        ("connections", connection["id"]),
    ):
        done = platform.call(command, "list")
        assert (done.status, word in done.out) == (0, True)


def test_a_worker_is_created_from_a_file_and_has_a_history(platform: Platform) -> None:
    Path("echo.py").write_text("def Process(event):\n    return None\n")
    done = platform.call("workers", "create", "echo.py", "--topic", "cli-orders", "--start", "--json")
    created, started = done.lines
    assert (done.status, created["event"], started["event"]) == (0, "created", "started")
    ours = [one for one in platform.call("workers", "list", "--json").lines if one["id"] == created["worker"]]
    assert [(one["topic"], one["status"]) for one in ours] == [("cli-orders", "WORKER_STATUS_RUNNING")]
    (version,) = platform.call("workers", "history", created["worker"], "--json").lines
    assert (version["event"], version["sha256"]) == ("version", ours[0]["code_sha256"])
    assert version["sha256"] in platform.call("workers", "history", created["worker"]).out
    assert platform.call("workers", "delete", created["worker"]).status == 0


def test_subscribe_prints_so_many_messages(platform: Platform) -> None:
    done = platform.call("subscribe", TOPIC, "--count", "3", "--json")
    assert (done.status, len(done.lines)) == (0, 3)
    assert {line["event"] for line in done.lines} <= {"frame", "heartbeat"}
    done = platform.call("subscribe", TOPIC, "--count", "2")
    assert (done.status, len(done.out.splitlines())) == (0, 2)


@pytest.mark.parametrize("by", ["topic", "run", "connection", "worker", "nothing"])
def test_status_of_a_feed_that_is_well(platform: Platform, by: str) -> None:
    (feed,) = platform.call("feed", "list", "--json").lines
    name = [] if by == "nothing" else [feed[by]]
    done = platform.call("status", *name, "--seconds", "0.5", "--json")
    *findings, last = done.lines
    assert done.status == 0, done.out
    assert (last["event"], last["healthy"], last["broken"]) == ("status", True, None)
    links = [finding["link"] for finding in findings]
    assert links == [
        "worker",
        "market",
        "socket",
        "symbols",
        "receive",
        "publisher",
        "broker",
        "subscriber",
    ]
    assert {finding["health"] for finding in findings} <= {"ok", "unknown"}
    ages = next(finding["symbol_ages"] for finding in findings if finding["link"] == "receive")
    assert set(ages) == {"BTC/USD", "ETH/USD"}


def test_status_for_people_ends_in_one_sentence(platform: Platform) -> None:
    done = platform.call("status", TOPIC, "--seconds", "0.5")
    assert done.status == 0
    assert done.out.splitlines()[-1].startswith(f"{TOPIC} is healthy: frames reach subscribers")


def test_what_was_recorded_is_replayed(platform: Platform) -> None:
    done = platform.call("record", TOPIC, "a.rec", "--count", "20", "--json")
    begun, ended = done.lines
    assert (done.status, begun["event"], ended["event"], ended["frames"]) == (0, "recording", "recorded", 20)
    frames = [item for item in items_of(Path("a.rec")) if isinstance(item, Frame)]
    assert len(frames) == 20
    assert all(frame.simulated for frame in frames)
    for encoding in ("batch", "frame"):
        done = platform.call("replay", "a.rec", "--encoding", encoding, "--json")
        (line,) = done.lines
        assert (done.status, line["event"], line["topic"]) == (0, "replayed", f"{TOPIC}-replay")
        assert (line["frames"], line["whole"]) == (20, True)
    assert "replayed 20 frames" in platform.call("replay", "a.rec", "--speed", "1000").out


def test_a_torn_recording_is_repaired_and_told(platform: Platform) -> None:
    whole = write_recording(Path("a.rec"), end=False).read_bytes()
    Path("a.rec").write_bytes(whole[:-40])
    done = platform.call("replay", "a.rec", "--topic", "torn")
    assert (done.status, "left out" in done.err) == (0, True)
    done = platform.call("record", "ticks", "a.rec", "--seconds", "0.01")
    assert (done.status, "repaired a.rec: cut off" in done.err) == (0, True)
    assert items_of(Path("a.rec")) == ITEMS[:-2]


def test_a_replay_on_credit_publishes_what_stdin_grants(platform: Platform) -> None:
    recording = write_recording(platform.folder / "credit.rec")
    replay = platform.start("replay", recording, "--credit", "--json")
    replay.process.stdin.write("3\n2\n")
    replay.process.stdin.flush()
    replay.process.stdin.close()
    assert replay.end() == 0, "".join(replay.stderr)
    (line,) = replay.lines
    assert (line["frames"] + line["markers"], line["whole"]) == (5, False)


def test_credit_that_is_no_number_is_status_2(platform: Platform) -> None:
    replay = platform.start("replay", write_recording(platform.folder / "bad.rec"), "--credit", "--json")
    replay.process.stdin.write("many\n")
    replay.process.stdin.flush()
    assert replay.end() == 2
    assert "credit is 'many'" in "".join(replay.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_recording_cleanly(platform: Platform, number: int) -> None:
    path = platform.folder / f"{number}.rec"
    recorder = platform.start("record", TOPIC, path, "--json")
    recorder.event("recording")
    assert recorder.end(number) == 0, "".join(recorder.stderr)
    assert recorder.events("recorded")
    assert "Traceback" not in "".join(recorder.stderr)
    items_of(path)


def test_ctrl_c_ends_a_replay_cleanly(platform: Platform) -> None:
    watcher = platform.start("subscribe", "slow", "--json")
    replay = platform.start(
        "replay",
        write_recording(platform.folder / "slow.rec"),
        "--topic",
        "slow",
        "--speed",
        "0.000001",
        "--json",
    )
    replay.process.stdin.close()
    assert watcher.until(lambda line: line["event"] in {"heartbeat", "frame"})
    assert replay.end(signal.SIGINT) == 0, "".join(replay.stderr)
    assert replay.events("replayed")[0]["whole"] is False


def test_a_killed_recorder_leaves_a_recording_that_is_continued(platform: Platform) -> None:
    path = platform.folder / "killed.rec"
    recorder = platform.start("record", TOPIC, path, "--json")
    recorder.event("recording")
    while not path.exists() or path.stat().st_size < 5000:
        assert recorder.process.poll() is None
    recorder.end(signal.SIGKILL)
    before = items_of(path)
    assert before
    done = platform.call("record", TOPIC, path, "--count", "1", "--json")
    assert done.status == 0
    found = items_of(path)
    assert found[: len(before)] == before
    frames = [item for item in found if isinstance(item, Frame)]
    holes = [item for item in found[len(before) :] if not isinstance(item, Frame)]
    assert holes, "what was missed in between is announced"
    assert frames[-1].sequence == holes[0].last_sequence + 1


def test_subscribe_reads_from_the_sidecar_that_the_environment_names_and_needs_no_gateway(
    tmp_path_factory,
) -> None:
    with programs(tmp_path_factory.mktemp("reader")) as run:
        runtime = run(
            "-m", "virtufin_examples.cli", "runtime", "--grpc-port", "0", "--http-port", "0", "--ephemeral"
        )
        addresses = runtime.until(lambda line: "grpc" in line)
        reader = run(
            *("-m", "virtufin_examples.cli", "subscribe", "orders", "--count", "1", "--json"),
            DAPR_GRPC_ENDPOINT=addresses["grpc"],
            VIRTUFIN_API_URL="127.0.0.1:1",
        )
        publish = f"http://{addresses['http']}/v1.0/publish/pubsub/orders"

        def is_read() -> bool:
            request = urllib.request.Request(publish, b"7", {"Content-Type": "text/plain"})
            urllib.request.urlopen(request, timeout=10).close()
            return reader.process.poll() is not None

        until(is_read, "the end of the reader")
        status = reader.end()
        (message,) = reader.lines
        assert (status, message["topic"], message["data"]) == (0, "orders", "7")


def test_subscribe_through_a_named_gateway_leaves_the_sidecar_alone(platform: Platform) -> None:
    done = call(
        "subscribe", TOPIC, "--count", "1", "--gateway", platform.gateway, DAPR_GRPC_ENDPOINT="127.0.0.1:1"
    )
    assert (done.status, len(done.out.splitlines())) == (0, 1)
