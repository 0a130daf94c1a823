"""The peers' environment: made on demand beside the project's own, and never locked with it.

cryptofeed pulls in code under the GPL, which the project neither depends on nor ships.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from virtufin_examples.errors import UnavailableError

ROOT = Path(__file__).parents[2]
_FOLDER = ROOT / ".bench-venv"
_PACKAGES = (
    "cryptofeed==2.4.1",
    "redis==8.1.0",
    "hiredis==3.5.0",
    "websockets==17.4",
    "dapr==1.19.0",
    "picows",
)
_UV = Path(sys.executable).parent / "uv"


def peers_python() -> Path:
    """Return the Python of the environment, which is made when it is not there; raise `UnavailableError`."""
    python, done = _FOLDER / "bin" / "python", _FOLDER / "packages.txt"
    wanted = "\n".join(_PACKAGES)
    if done.is_file() and done.read_text() == wanted:
        return python
    _run(_UV, "venv", "--quiet", "--clear", "--python", sys.executable, _FOLDER)
    _run(_UV, "pip", "install", "--quiet", "--python", python, *_PACKAGES)
    done.write_text(wanted)
    return python


def make_certificate(folder: Path) -> Path:
    """Return a file with a key and a certificate for 127.0.0.1, for a `wss://` that stays on this machine."""
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    new = (
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    )
    _run("openssl", *new, "-keyout", key, "-out", certificate, *subject)
    both.write_text(key.read_text() + certificate.read_text())
    return both


def _run(*command: str | Path) -> None:
    try:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UnavailableError(f"there is no {command[0]}") from None
    if done.returncode:
        said = " ".join(done.stderr.split())[-200:]
        raise UnavailableError(f"{Path(command[0]).name} {command[1]} failed: {said}")
