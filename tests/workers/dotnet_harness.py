"""Runs one .NET worker on one runtime for the contract tests: JSON lines on stdin and stdout.

    python dotnet_harness.py coreclr|mono worker.dll

In: `{"start": id}`, `{"process": text}`, `{"gateway": text}` or `{"gateway_error": text}` as the answer to a call, and
`{"memory": [[method, argument, ...], ...]}` for the reply memory alone. Out: `{"call": [service, method, request]}`,
`{"result": value}` or `{"error": text}`.
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

            def Invoke(self, service: str, method: str, request: str) -> str:
                send({"call": [service, method, request]})
                answer = json.loads(sys.stdin.readline())
                if "gateway_error" in answer:
                    raise RuntimeError(answer["gateway_error"])
                return answer["gateway"]

        worker = WebSocketManagerController()
        send({"result": "ready"})
        for line in sys.stdin:
            message = json.loads(line)
            try:
                if "start" in message:
                    worker.Start(message["start"], "command.websocketmanagercontroller", Gateway())
                    send({"result": None})
                elif "process" in message:
                    send({"result": worker.Process(message["process"])})
                else:
                    memory = ReplyMemory()
                    calls = message["memory"]
                    send({"result": [getattr(memory, name)(*arguments) for name, *arguments in calls]})
            except Exception as error:
                send({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main(*sys.argv[1:])
