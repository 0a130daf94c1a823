"""Imports point one way (`docs/architecture.md`, "Processes")."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "virtufin_examples"
SERVICES = {"gateway", "workmanager", "websocketmanager", "simulators", "service", "cli"}

# room -> rooms of the project that it may not import
FORBIDDEN = {
    "frames": SERVICES | {"bus", "client", "connections", "venues"},
    "venues": SERVICES | {"bus", "client", "connections"},
    "audit": SERVICES | {"bus", "client", "connections", "venues"},
    "bus": {
        "gateway",
        "workmanager",
        "websocketmanager",
        "simulators",
        "cli",
        "client",
        "connections",
        "venues",
    },
    "connections": SERVICES | {"bus", "client"},
    "client": {"gateway", "websocketmanager", "simulators", "service", "cli", "connections"},
    "service": SERVICES - {"service"} | {"client", "connections", "venues", "frames"},
    "gateway": SERVICES - {"gateway", "service"} | {"client", "connections", "venues"},
    "workmanager": SERVICES - {"workmanager", "service"} | {"client", "connections", "venues"},
    "websocketmanager": SERVICES - {"websocketmanager", "service"} | {"client"},
    "simulators": SERVICES - {"simulators", "service"} | {"client", "connections", "bus"},
}


def imported_rooms(module: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {name.split(".")[1] for name in names if name.startswith("virtufin_examples.")}
    return found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_lies_below_it(room):
    wrong = {
        f"{module.relative_to(PACKAGE)} imports {', '.join(sorted(bad))}"
        for module in (PACKAGE / room).rglob("*.py")
        if (bad := imported_rooms(module) & FORBIDDEN[room])
    }
    assert not wrong


def test_using_the_client_loads_no_service_no_socket_library_and_no_clr():
    program = """
import sys
from virtufin_examples import client
client.subscribe, client.open_feed, client.ApiClient, client.FeedSettings
heavy = {"picows", "clr", "pythonnet", "starlette", "uvicorn", "structlog", "prometheus_client", "httpx"}
heavy |= {f"virtufin_examples.{room}" for room in ("gateway", "websocketmanager", "workmanager")}
sys.exit(", ".join(sorted(heavy & set(sys.modules))) or None)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
