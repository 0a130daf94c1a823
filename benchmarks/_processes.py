"""Memory and processor time of a tree of processes, and the loopback's bytes, from Linux's /proc."""

from __future__ import annotations

import contextlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from virtufin_examples.errors import PreconditionError

_PROC = Path("/proc")
_KIB = 1024
# "<from>-<to> <rights> <offset> <device> <inode> <path>"
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ (?P<file>[0-9a-f]+ \S+ \d+)")


@dataclass(frozen=True, slots=True)
class Memory:
    """What processes take, in bytes: each one's own, and what is mapped from files, each page once.

    The proportional set size (`Pss`) will not do: it gives a part of the code to every other program on the
    machine that runs the same Python, the benchmark among them, and so shrinks with what else is running.
    """

    own: dict[int, int]
    files: int


def descendants(pid: int) -> tuple[int, ...]:
    """Return the processes that `pid` started, and theirs, without itself."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return tuple(found)


def command_line(pid: int) -> str:
    """Return what a process was started with."""
    return _read(pid, "cmdline").replace("\0", " ").strip()


def memory_of(processes: Iterable[int]) -> Memory:
    """Return what the processes take now, from their `smaps` (proc_pid_smaps(5))."""
    own: dict[int, int] = {}
    unshared = 0  # pages of files that one process alone has
    shared: defaultdict[str, list[int]] = defaultdict(list)
    for process in processes:
        own[process] = 0
        for file, sizes in _mappings(process):
            anonymous = sizes["Anonymous"] + sizes["Swap"]
            alone = min(sizes["Private_Clean"], sizes["Rss"] - sizes["Anonymous"])
            own[process] += anonymous
            unshared += alone
            shared[file].append(sizes["Rss"] - sizes["Anonymous"] - alone)
    # Of what processes share, the largest part is taken for the whole: they load the same code.
    return Memory(own, unshared + sum(max(parts) for parts in shared.values()))


def processor_ns(pid: int) -> int:
    """Return the processor time of a process's threads so far.

    From their `schedstat`, which counts nanoseconds; `stat` counts hundredths of a second, as much as an idle
    platform takes in several. What a thread took that has ended is not in it.
    """
    total = 0
    for thread in (_PROC / str(pid) / "task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            total += int((thread / "schedstat").read_text().split()[0])
    return total


def loopback_bytes() -> int:
    """Return what has gone over the loopback interface so far, headers and all (proc_net_dev of proc(5))."""
    lines = (_PROC / "net" / "dev").read_text().splitlines()
    received = next(line for line in lines if line.split(":")[0].strip() == "lo").split(":")[1]
    return int(received.split()[0])


def _mappings(pid: int) -> list[tuple[str, Counter[str]]]:
    """Return each mapping's file (offset, device, inode) and its sizes in bytes by name."""
    found: list[tuple[str, Counter[str]]] = []
    for line in _read(pid, "smaps").splitlines():
        if match := _MAPPING.match(line):
            found.append((match["file"], Counter()))
        elif line.endswith(" kB"):
            name, value, _ = line.split()
            found[-1][1][name.rstrip(":")] = int(value) * _KIB
    return found


def _read(pid: int, name: str) -> str:
    path = _PROC / str(pid) / name
    try:
        return path.read_text()
    except FileNotFoundError:
        raise PreconditionError(
            f"{path} is not there", hint="memory and idle load are measured on Linux only"
        ) from None
