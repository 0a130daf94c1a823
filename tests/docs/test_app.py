"""The app in `docs/embedded-runtime.md` runs as it stands there, and the runtime beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request

from deploy.processes import answers, until
from tests.bus.embedded.apps import free_port
from tests.docs.fences import fences
from tests.programs import ROOT, clean_environment, read_lines

PAGE = ROOT / "docs" / "embedded-runtime.md"


def test_the_app_of_the_page_gets_what_is_published(tmp_path):
    (app,) = [fence.text for fence in fences(PAGE) if fence.language == "python" and "DaprApp" in fence.text]
    (shell,) = [
        fence.text for fence in fences(PAGE) if fence.language == "bash" and "quotes.py" in fence.text
    ]
    (data,) = [line.partition(" -d ")[2].strip("'") for line in shell.splitlines() if "curl" in line]
    assert "virtufin runtime --app-id quotes --app-port 6001" in shell
    port = str(free_port())
    (tmp_path / "quotes.py").write_text(app.replace("6001", port))
    runtime = [sys.executable, "-m", "virtufin_examples.cli", "runtime", "--app-id", "quotes"]
    runtime += ["--app-port", port, "--grpc-port", "0", "--http-port", "0", "--ephemeral"]
    with (
        subprocess.Popen(
            [sys.executable, "quotes.py"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as service,
        subprocess.Popen(
            runtime,
            cwd=tmp_path,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as sidecar,
    ):
        try:
            address = json.loads(sidecar.stdout.readline())["http"]
            until(lambda: answers(f"http://{address}/v1.0/healthz"), "the app")
            request = urllib.request.Request(
                f"http://{address}/v1.0/publish/pubsub/quotes",
                data.encode(),
                {"content-type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 204
            received = f"{json.loads(data)}\n"
            read_lines(service, lambda lines: lines[-1:] == [received], "the app of the page")
        finally:
            sidecar.stdin.close()
            service.terminate()
