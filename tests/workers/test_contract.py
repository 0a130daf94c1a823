"""Every variant of the worker obeys the same contract."""

from __future__ import annotations

import base64
import json

import pytest

from tests.workers.contract import REFUSALS, SUCCESSES, WORKER_ID, Case, event
from tests.workers.drivers import GatewayError

LIST = {"command": "list"}


class Recorder:
    """A gateway that writes down its calls and gives fixed answers."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.calls: list[tuple[str, dict]] = []

    def __call__(self, service: str, method: str, request: str) -> str:
        assert service == "websocketmanager"
        self.calls.append((method, json.loads(request)))
        answer = self._answers.pop(0)
        if isinstance(answer, GatewayError):
            raise answer
        return answer if isinstance(answer, str | None) else json.dumps(answer)


@pytest.mark.parametrize("case", SUCCESSES + REFUSALS, ids=str)
def test_a_command_makes_its_calls_and_gets_its_reply(worker, case: Case) -> None:
    worker.new(WORKER_ID)
    gateway = Recorder(case.answer)

    reply = worker.process(event(case.data), gateway)

    assert gateway.calls == case.calls
    assert reply["data"] == {"command": case.command, "worker": WORKER_ID} | case.reply


def test_a_reply_is_a_cloud_event_on_the_default_topic(worker) -> None:
    worker.new(WORKER_ID)
    first, second = (worker.process(event(LIST), Recorder({})) for _ in range(2))

    assert first.pop("id") != second.pop("id")
    first.pop("data")
    assert first == {
        "specversion": "1.0",
        "source": "urn:com.virtufin.websocketmanagercontroller",
        "type": "response.websocketmanagercontroller",
        "datacontenttype": "application/json",
    }


def test_a_reply_goes_to_the_reply_topic_and_keeps_the_correlation_id(worker) -> None:
    worker.new(WORKER_ID)
    reply = worker.process(event(LIST, correlationid="ä😀", replytopic="answers.here"), Recorder({}))

    assert (reply["type"], reply["correlationid"]) == ("answers.here", "ä😀")


@pytest.mark.parametrize("value", [None, "", 7, ["a"]])
def test_attributes_that_are_no_text_are_not_copied(worker, value) -> None:
    worker.new(WORKER_ID)
    reply = worker.process(event(LIST, correlationid=value, replytopic=value), Recorder({}))

    assert "correlationid" not in reply
    assert reply["type"] == "response.websocketmanagercontroller"


@pytest.mark.parametrize("text", ["", "hello", "[]", "null", '"text"', '{"data":', '"\\ud800"'])
def test_what_is_no_event_gets_a_reply(worker, text: str) -> None:
    worker.new(WORKER_ID)
    data = worker.process(text, Recorder())["data"]

    assert (data["success"], data["code"], data["command"]) == (False, "INVALID_ARGUMENT", "")


def test_json_in_a_text_or_in_bytes_is_read_as_well(worker) -> None:
    worker.new(WORKER_ID)
    text = ' {"command" : "disconnect", "id": "\\u00e4\\ud83d\\ude00\\/" }\r\n'
    packed = base64.b64encode(text.encode()).decode()

    for shape in ({"data": text}, {"data": None, "data_base64": packed}):
        gateway = Recorder({})
        assert worker.process(json.dumps(shape), gateway)["data"]["success"] is True
        assert gateway.calls == [("Disconnect", {"id": "ä😀/"})]


@pytest.mark.parametrize("packed", ["", "a", "/////w==", "aGVsbG8="])
def test_bytes_that_are_no_json_are_refused(worker, packed: str) -> None:
    worker.new(WORKER_ID)
    data = worker.process(json.dumps({"data_base64": packed}), Recorder())["data"]

    assert data["message"] == 'field "data" is no JSON object of at most 64 levels'


def test_the_number_of_a_subscription_increases(worker) -> None:
    worker.new(WORKER_ID)
    gateway = Recorder({}, GatewayError("NOT_FOUND: none"), {}, {})
    for name, connection in [
        ("subscribe", "a"),
        ("subscribe", "b"),
        ("unsubscribe", "a"),
        ("subscribe", "a"),
    ]:
        worker.process(event({"command": name, "id": connection, "params": ["s"]}), gateway)

    sent = [json.loads(base64.b64decode(request["message"])) for _, request in gateway.calls]
    assert [message["id"] for message in sent] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("report", "code", "message"),
    [
        ('NOT_FOUND: no connection "c-1"', "NOT_FOUND", 'no connection "c-1"'),
        ("UNAVAILABLE: a: b\nc", "UNAVAILABLE", "a: b\nc"),
        ("PERMISSION_DENIED: ", "PERMISSION_DENIED", "Disconnect failed"),
        ("NOTHING: x", "INTERNAL", "NOTHING: x"),
        ("not_found: x", "INTERNAL", "not_found: x"),
        ("ABORTED UNKNOWN: x", "INTERNAL", "ABORTED UNKNOWN: x"),
        (": x", "INTERNAL", ": x"),
        ("NOT_FOUND", "INTERNAL", "NOT_FOUND"),
        ("", "INTERNAL", "Disconnect failed"),
    ],
)
def test_a_failed_call_is_reported_with_its_status(worker, report: str, code: str, message: str) -> None:
    worker.new(WORKER_ID)
    reply = worker.process(event({"command": "disconnect", "id": "c-1"}), Recorder(GatewayError(report)))

    assert reply["data"] == {
        "command": "disconnect",
        "success": False,
        "worker": WORKER_ID,
        "message": message,
        "code": code,
    }


@pytest.mark.parametrize(
    "answer", [None, "", "no JSON", "[]", "null", "[" * 100_000, '{"a":' * 100 + "1" + "}" * 100]
)
def test_an_answer_that_is_no_object_is_an_error(worker, answer: str | None) -> None:
    worker.new(WORKER_ID)
    data = worker.process(event({"command": "publish", "id": "c", "topic": "t"}), Recorder(answer))["data"]

    assert (data["code"], data["message"]) == ("INTERNAL", "the answer of StartPublish is no JSON object")


@pytest.mark.parametrize("answer", [{}, {"id": ""}, {"id": 7}])
def test_a_connection_without_id_is_an_error(worker, answer: dict) -> None:
    worker.new(WORKER_ID)
    data = worker.process(event({"command": "create", "url": "u"}), Recorder(answer))["data"]

    assert (data["code"], data["message"]) == ("INTERNAL", "the answer of Connect has no id")


def test_before_its_start_a_worker_refuses_commands(worker) -> None:
    worker.new(None)
    data = worker.process(event(LIST), Recorder())["data"]

    assert data["message"] == "the worker is not started"
    assert (data["command"], data["worker"], data["code"]) == ("list", "", "FAILED_PRECONDITION")


def test_a_repeated_command_is_answered_from_memory(worker) -> None:
    worker.new(WORKER_ID)
    gateway = Recorder({"id": "c-1"})
    data = {"command": "create", "url": "u", "tags": {"a": "1", "b": "2"}}
    again = {"tags": {"b": "2", "a": "1"}, "url": "u", "command": "create"}

    first = worker.process(event(data, correlationid="k"), gateway)
    second = worker.process(event(again, correlationid="k", replytopic="elsewhere"), gateway)

    assert len(gateway.calls) == 1
    assert second["data"] == first["data"]
    assert second["type"] == "elsewhere"


def test_a_failure_is_remembered_too(worker) -> None:
    worker.new(WORKER_ID)
    gateway = Recorder(GatewayError("UNAVAILABLE: later"))
    command = event({"command": "disconnect", "id": "c"}, correlationid="k")

    first, second = worker.process(command, gateway), worker.process(command, gateway)

    assert first["data"] == second["data"]
    assert len(gateway.calls) == 1


def test_another_command_with_the_same_correlation_id_is_run(worker) -> None:
    worker.new(WORKER_ID)
    gateway = Recorder({}, {})
    for connection in ("a", "b"):
        worker.process(event({"command": "disconnect", "id": connection}, correlationid="k"), gateway)

    assert gateway.calls == [("Disconnect", {"id": "a"}), ("Disconnect", {"id": "b"})]


def test_without_correlation_id_a_command_is_run_each_time(worker) -> None:
    worker.new(WORKER_ID)
    gateway = Recorder({}, {})
    for _ in range(2):
        worker.process(event({"command": "disconnect", "id": "c"}), gateway)

    assert len(gateway.calls) == 2


def test_a_reply_is_forgotten_after_ten_minutes(worker) -> None:
    last, after = 10 * 60 * 1000 - 1, 10 * 60 * 1000
    calls = [("Find", "a", 0), ("Remember", "a", "r", 0), ("Find", "a", last), ("Find", "a", after)]

    assert worker.memory(calls) == [None, None, "r", None]


def test_the_oldest_of_too_many_replies_is_forgotten(worker) -> None:
    remembered = [("Remember", f"k{i}", "r", i) for i in range(4097)]
    found = worker.memory([*remembered, ("Find", "k0", 4097), ("Find", "k1", 4097), ("Find", "k4096", 4097)])

    assert found[-3:] == [None, "r", "r"]


def test_the_memory_is_bounded_in_characters(worker) -> None:
    big, too_big = "x" * (3 * 1024 * 1024), "x" * (5 * 1024 * 1024)
    calls = [
        ("Remember", "a", big, 0),
        ("Remember", "huge", too_big, 0),
        ("Find", "a", 1),
        ("Find", "huge", 1),
    ]
    assert worker.memory(calls)[2:] == [big, None]

    calls = [("Remember", "a", big, 0), ("Remember", "b", big, 0), ("Find", "a", 1), ("Find", "b", 1)]
    assert worker.memory(calls)[2:] == [None, big]
