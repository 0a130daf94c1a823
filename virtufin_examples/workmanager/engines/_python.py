"""Python workers: a module with `Process(event)`, and with `Start(worker_id, topic, gateway)` if it likes."""

from __future__ import annotations

import linecache
import platform
import sys
import types
from collections.abc import Callable, Mapping

import msgspec

from virtufin_examples.errors import WorkerError
from virtufin_examples.workmanager.engines._engine import GatewayPort, LoadedWorker

MODULE_NAME = "virtufin_worker"
_FILE_NAME = "<worker>"


class PythonEngine:
    """Engine of `text/x-python`."""

    mime_type = "text/x-python"
    language = "python"

    def unavailable(self, environ: Mapping[str, str]) -> str:  # noqa: ARG002 - the port's
        """Python is always there."""
        return ""

    def environment(self, environ: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002 - the port's
        """Nothing beyond what every host gets."""
        return {}

    def abort_hint(self, environ: Mapping[str, str]) -> str:  # noqa: ARG002 - the port's
        """Nothing known."""
        return ""

    def load(self, code: bytes, *, worker_id: str, topic: str, gateway: GatewayPort) -> LoadedWorker:
        """Run the module and call its `Start`."""
        module = _run_module(code)
        process = getattr(module, "Process", None)
        if not callable(process):
            raise WorkerError(
                "the module has no function Process", hint="define Process(event: dict) -> dict | None"
            )
        start = getattr(module, "Start", None)
        if start is not None:
            start(worker_id, topic, gateway)
        return _PythonWorker(process)


def _run_module(code: bytes) -> types.ModuleType:
    try:
        source = code.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WorkerError(f"the code is no UTF-8 text: {error}", hint="send Python source") from error
    try:
        compiled = compile(source, _FILE_NAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise WorkerError(f"the code is no Python: {error}") from error
    # Lets tracebacks show the worker's lines.
    linecache.cache[_FILE_NAME] = (len(source), None, source.splitlines(keepends=True), _FILE_NAME)
    module = types.ModuleType(MODULE_NAME)
    sys.modules[MODULE_NAME] = module  # dataclasses and pickling look the module up
    exec(compiled, module.__dict__)  # noqa: S102 - running the worker's code is what a host is for
    return module


class _PythonWorker:
    def __init__(self, process: Callable[[dict[str, object]], object]) -> None:
        self._process = process
        self.runtime = f"{platform.python_implementation()} {platform.python_version()}"

    def process(self, event: bytes) -> bytes | None:
        """Call `Process` with the event as a dict."""
        answer = self._process(msgspec.json.decode(event, type=dict[str, object]))
        if answer is None:
            return None
        if not isinstance(answer, dict):
            raise WorkerError(f"Process returned {type(answer).__name__}", hint="return a dict or None")
        return msgspec.json.encode(answer)
