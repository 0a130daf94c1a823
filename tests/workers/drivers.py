"""One way to drive a worker of either language, with a gateway that records what it is asked."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from virtufin_examples import workmanager
from virtufin_examples.worker_packages import python_package

HARNESS = Path(__file__).with_name("dotnet_harness.py")
MONO_FACADES = Path(workmanager.__file__).parent / "engines" / "mono"
"""What pythonnet needs of Mono and Debian's `mono-runtime` lacks; the engine uses it too."""


class GatewayError(Exception):
    """What a fake gateway raises; the worker sees an exception with this text."""


Answer = Callable[[str, str, str], str | None]
"""A fake gateway: service, method and request in, response out."""


class Driver(Protocol):
    def new(self, worker_id: str | None) -> None:
        """Begin anew with a worker of that id; None: one that was not started."""

    def process(self, event: str, gateway: Answer) -> dict:
        """Hand an event to the worker and return its reply."""

    def memory(self, calls: Sequence[tuple]) -> list[str | None]:
        """Run calls (`("Find", key, ms)`, `("Remember", key, reply, ms)`) on a new reply memory."""


class PythonDriver:
    """The deployed text, run as a host may run it: without a place among the modules."""

    def new(self, worker_id: str | None) -> None:
        self._namespace = {"__name__": "worker"}
        exec(compile(python_package().content, "worker.py", "exec"), self._namespace)
        self._answer: Answer = None
        if worker_id is not None:
            self._namespace["Start"](worker_id, "command.websocketmanagercontroller", self)

    def invoke(self, service: str, method: str, request_json: str) -> str:
        try:
            return self._answer(service, method, request_json)
        except GatewayError as error:
            raise RuntimeError(str(error)) from error

    def process(self, event: str, gateway: Answer) -> dict:
        self._answer = gateway
        try:
            parsed = json.loads(event)
        except ValueError:
            parsed = event
        return self._namespace["Process"](parsed)

    def memory(self, calls: Sequence[tuple]) -> list[str | None]:
        self.new(None)
        memory = self._namespace["ReplyMemory"]()
        return [getattr(memory, method.lower())(*arguments) for method, *arguments in calls]


class DotnetDriver:
    """A .NET worker in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextlib.contextmanager
    def open(cls, runtime: str, assembly: Path) -> Iterator[DotnetDriver]:
        command = [sys.executable, "-W", "ignore", str(HARNESS), runtime, str(assembly)]
        pipe = subprocess.PIPE
        environment = dict(os.environ)
        if runtime == "mono":
            environment["MONO_PATH"] = str(MONO_FACADES)
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
            yield cls(process)
            process.stdin.close()
            process.wait(timeout=10)

    def new(self, worker_id: str | None) -> None:
        self._exchange({"new": worker_id}, None)

    def process(self, event: str, gateway: Answer) -> dict:
        return json.loads(self._exchange({"process": event}, gateway))

    def memory(self, calls: Sequence[tuple]) -> list[str | None]:
        return self._exchange({"memory": calls}, None)

    def _exchange(self, message: dict, gateway: Answer | None) -> object:
        while True:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            assert line, f"the harness ended with status {self._process.wait(timeout=10)}; stderr says why"
            answer = json.loads(line)
            assert "error" not in answer, answer["error"]
            if "call" not in answer:
                return answer["result"]
            try:
                message = {"gateway": gateway(*answer["call"])}
            except GatewayError as error:
                message = {"gateway_error": str(error)}
