"""Compiles the test assemblies: `python -m tests.workmanager.assemblies.build` (needs mcs)."""

from __future__ import annotations

import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent
CONTRACT = FOLDER / "Contract.cs"
NAMES = sorted(path.stem for path in FOLDER.glob("*.cs") if path != CONTRACT)


def build(name: str, target: Path) -> None:
    """Compile one assembly as C# 7.2 against Mono's class library."""
    sources = [str(FOLDER / f"{name}.cs")] + ([] if name == "NoWorker" else [str(CONTRACT)])
    subprocess.run(
        ["mcs", "-target:library", "-langversion:7.2", f"-out:{target}", *sources],
        check=True,
        capture_output=True,
        text=True,
    )


if __name__ == "__main__":
    for each in NAMES:
        build(each, FOLDER / f"{each}.dll")
