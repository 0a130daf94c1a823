"""Find or build daprd, and print its path: `python -m deploy.get_daprd` (`make daprd`).

The one on PATH is taken when it fits. Otherwise the unmodified one is built from the Go module proxy by
`deploy/daprd/go.mod`, once a machine and version: about five minutes on two cores.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from deploy._cache import MissingError, cache_folder

MODULE_FOLDER = Path(__file__).parent / "daprd"
PACKAGE = "github.com/dapr/dapr/cmd/daprd"
BUILD_TAG = "allcomponents"  # Dapr's default flavour, and the only one with pubsub.jetstream

_PINNED = re.compile(r"^\s*github\.com/dapr/dapr v(\d+\.\d+\.\d+)", re.MULTILINE)
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def pinned_version() -> str:
    """Return the version that `go.mod` names."""
    found = _PINNED.search((MODULE_FOLDER / "go.mod").read_text())
    if found is None:
        raise MissingError(f"{MODULE_FOLDER / 'go.mod'} requires no github.com/dapr/dapr")
    return found[1]


def _go_version() -> str:
    found = re.search(r"^go (\S+)", (MODULE_FOLDER / "go.mod").read_text(), re.MULTILINE)
    return found[1] if found else "a recent one"


def fits(version: str, pinned: str) -> bool:
    """Whether a daprd may stand in for the pinned one: the same minor version, and not older.

    Another minor version may answer differently, which the conformance suite would report as our fault.
    """
    seen, wanted = _VERSION.search(version), _VERSION.search(pinned)
    if seen is None or wanted is None:
        return False
    return seen.group(1, 2) == wanted.group(1, 2) and int(seen[3]) >= int(wanted[3])


def find_daprd(*, build: bool = True) -> Path:
    """Return a daprd, built if need be and allowed; raises `MissingError` when there is none then."""
    pinned = pinned_version()
    on_path = shutil.which("daprd")
    unfit = ""
    if on_path is not None:
        version = _run([on_path, "--version"]).strip()
        if fits(version, pinned):
            return Path(on_path)
        unfit = f"{on_path} is {version}, not {pinned} or a later patch of it"
    binary = cache_folder(f"daprd-{pinned}") / "daprd"
    if not binary.exists():
        if not build:
            raise MissingError(
                f"{unfit or f'no daprd {pinned} on PATH'}, and none is built in {binary.parent}"
            )
        if unfit:
            _say(f"{unfit}: it is left alone")
        _build(binary, pinned)
    return binary


def _build(binary: Path, version: str) -> None:
    go = shutil.which("go")
    if go is None:
        raise MissingError(
            f"no daprd {version} on PATH, and no Go ({_go_version()} or newer) to build it: install either"
        )
    _say(f"building daprd {version} (once, about five minutes) ...")
    binary.parent.mkdir(parents=True, exist_ok=True)
    unfinished = binary.with_name(f"daprd-{os.getpid()}")
    stamp = f"-s -w -X github.com/dapr/dapr/pkg/buildinfo.version={version}"
    command = [
        go,
        "build",
        "-tags",
        BUILD_TAG,
        "-trimpath",
        "-ldflags",
        stamp,
        "-o",
        str(unfinished),
        PACKAGE,
    ]
    _run(command, cwd=MODULE_FOLDER, env={**os.environ, "CGO_ENABLED": "0"})
    unfinished.replace(binary)  # in one step: another build may be under way


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise MissingError(f"{' '.join(command)} failed with status {done.returncode}")
    return done.stdout


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    try:
        print(find_daprd())
    except MissingError as error:
        sys.exit(str(error))
