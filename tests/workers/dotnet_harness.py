"""Runs a .NET worker on one runtime for the contract tests, JSON lines on stdin and stdout.

    python dotnet_harness.py coreclr|mono worker.dll

In: `{"new": worker id}` (null: not started), `{"process": text}`, `{"gateway": text}` or
`{"gateway_error": text}` to answer a call, and `{"memory": [[method, argument, ...], ...]}` for calls on a
new reply memory.
Out: `{"call": [service, method, request]}`, `{"result": value}`, `{"error": text}`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1"


def load_runtime(kind: str, folder: Path) -> None:
    import clr_loader
    import pythonnet

    if kind == "mono":
        pythonnet.set_runtime(clr_loader.get_mono())
        return
    import dotnetcore2

    config = folder / "runtimeconfig.json"
    framework = {"name": "Microsoft.NETCore.App", "version": "3.1.0"}
    config.write_text(json.dumps({"runtimeOptions": {"framework": framework}}))
    root = Path(dotnetcore2.__file__).parent / "bin"
    pythonnet.set_runtime(clr_loader.get_coreclr(dotnet_root=root, runtime_config=config))


def main(kind: str, assembly: str) -> None:
    wire = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what the runtime prints must not disturb the protocol

    def send(message: object) -> None:
        wire.write(json.dumps(message) + "\n")
        wire.flush()

    with tempfile.TemporaryDirectory() as folder:
        load_runtime(kind, Path(folder))
        import clr

    clr.AddReference(assembly)
    from Virtufin.DevKit import IGateway, ReplyMemory
    from Virtufin.Workers import WebSocketManagerController

    class Gateway(IGateway):
        __namespace__ = "Virtufin.Tests"

        def Invoke(self, service: str, method: str, request: str) -> str:  # noqa: N802 - the .NET name
            send({"call": [service, method, request]})
            answer = json.loads(sys.stdin.readline())
            if "gateway_error" in answer:
                raise RuntimeError(answer["gateway_error"])
            return answer["gateway"]

    gateway = Gateway()
    worker = None

    def answer(message: dict) -> object:
        nonlocal worker
        if "new" in message:
            worker = WebSocketManagerController()
            if message["new"] is not None:
                worker.Start(message["new"], "command.websocketmanagercontroller", gateway)
            return None
        if "process" in message:
            return worker.Process(message["process"])
        memory = ReplyMemory()
        return [getattr(memory, method)(*arguments) for method, *arguments in message["memory"]]

    for line in sys.stdin:
        try:
            result = {"result": answer(json.loads(line))}
        except Exception as error:  # noqa: BLE001 - reported to the test, whatever it is
            result = {"error": f"{type(error).__name__}: {error}"}
        send(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
