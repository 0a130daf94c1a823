"""`virtufin runtime` hands its options on."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request

import pytest

from tests.programs import clean_environment


@pytest.mark.parametrize(
    ("options", "kept"), [((), "[1732108308123456789]"), (("--strict",), "[1732108308123456800]")]
)
def test_a_strict_runtime_rounds_as_daprd_does(tmp_path, options, kept):
    command = [sys.executable, "-m", "virtufin_examples.cli", "runtime"]
    command += ["--grpc-port", "0", "--http-port", "0"]
    with subprocess.Popen(
        [*command, "--ephemeral", *options],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as runtime:
        store = f"http://{json.loads(runtime.stdout.readline())['http']}/v1.0/state/statestore"
        body = b'[{"key":"k","value":[1732108308123456789]}]'
        urllib.request.urlopen(urllib.request.Request(store, body), timeout=10).close()
        with urllib.request.urlopen(f"{store}/k", timeout=10) as answer:
            found = answer.read().decode()
        runtime.stdin.close()

    assert found == kept
