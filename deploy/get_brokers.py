"""Find or install redis-server, nats-server and Kafka: `python -m deploy.get_brokers` (`make brokers`).

With names, `python -m deploy.get_brokers redis-server`, only those programs.

The first two are Debian packages, installed when this runs as root there; Kafka's jars come from Maven
Central, by `deploy/kafka/pom.xml`, once a machine and version. Nothing is started here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from deploy._cache import MissingError, cache_folder

POM = Path(__file__).parent / "kafka" / "pom.xml"
_PACKAGES = {
    "redis-server": "redis-server",
    "nats-server": "nats-server",
    "java": "openjdk-17-jre-headless",
    "mvn": "maven",
}


def find_program(name: str) -> Path:
    """Return the program, installed if need be; raises `MissingError` naming its Debian package."""
    found = shutil.which(name)
    if found is None:
        _install(name, _PACKAGES[name])
        found = shutil.which(name)
    if found is None:
        raise MissingError(f"no {name} on PATH: install it (on Debian: apt-get install {_PACKAGES[name]})")
    return Path(found)


def find_kafka() -> Path:
    """Return the folder with Kafka's jars, fetched if need be."""
    version = re.search(r"kafka_2\.13</artifactId>\s*<version>([\d.]+)<", POM.read_text())
    if version is None:
        raise MissingError(f"{POM} names no version of kafka_2.13")
    folder = cache_folder(f"kafka-{version[1]}")
    if not folder.exists():
        _fetch_jars(folder, find_program("mvn"))
    return folder


def _fetch_jars(folder: Path, maven: Path) -> None:
    _say(f"fetching Kafka into {folder} (once) ...")
    unfinished = folder.with_name(f"{folder.name}-{os.getpid()}")
    copy = [str(maven), "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    status = subprocess.run(
        [*copy, f"-DoutputDirectory={unfinished}"], stdout=sys.stderr, check=False
    ).returncode
    if status != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise MissingError(f"maven could not fetch Kafka's jars (status {status})")
    unfinished.replace(folder)


def _install(name: str, package: str) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    _say(f"installing {package} for {name} ...")
    # With this run level the package's service is not started: the tests start their own.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", package]):
        subprocess.run(command, env=quiet, stdout=sys.stderr, check=False)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    try:
        for program in sys.argv[1:] or ("redis-server", "nats-server", "java"):
            print(find_program(program))
        if not sys.argv[1:]:
            print(find_kafka())
    except MissingError as error:
        sys.exit(str(error))
