"""services.json: what is read, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.gateway import ServiceEntry
from virtufin_examples.gateway._services_file import load_services, parse_services

GRPC = {"host": "127.0.0.1", "port": 25002}


def services(*entries: object) -> str:
    return json.dumps({"services": list(entries)})


def test_reads_names_in_both_casings(tmp_path: Path) -> None:
    file = tmp_path / "services.json"
    file.write_text(
        services(
            {"name": "a", "grpc": GRPC},
            {
                "name": "b",
                "daprAppId": "app-b",
                "grpc": {**GRPC, "reflectionEnabled": False},
                "pubsub": {"pubsubName": "p"},
                "state": {"store_name": "s"},
            },
        )
    )
    assert load_services(file) == (
        ServiceEntry(name="a", host="127.0.0.1", port=25002),
        ServiceEntry(
            name="b",
            host="127.0.0.1",
            port=25002,
            dapr_app_id="app-b",
            reflection_enabled=False,
            pubsub_name="p",
            state_store_name="s",
        ),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"services": [\n  {,}\n]}', r"services\.json: line 2, column 4: "),
        ("[]", r"services\.json: the file: Expected `object`, got `array`"),
        ("{}", r"services\.json: the file: Object missing required field `services`"),
        (services({"name": "a"}), r"services\[0\]: Object missing required field `grpc`"),
        (services({"name": "", "grpc": GRPC}), r"services\[0\]\.name: .*length >= 1.*\(it is \"\"\)"),
        (
            services({"name": "a", "grpc": {"host": "h", "port": 70000}}),
            r"services\[0\]\.grpc\.port: .*<= 65535.*\(it is 70000\)",
        ),
        (services({"name": "a", "grpc": {"host": "h", "port": "1"}}), r"grpc\.port: .*\(it is \"1\"\)"),
        (services({"name": "a", "gprc": GRPC, "grpc": GRPC}), r"unknown field 'gprc' \(did you mean grpc"),
        (
            services({"name": "a", "grpc": GRPC}, {"name": "a", "grpc": GRPC}),
            r"services\[1\]\.name: 'a' is services\[0\] too",
        ),
    ],
)
def test_refuses_with_the_place_the_value_and_the_fix(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        parse_services(text, "services.json")
    assert caught.value.hint


def test_a_missing_file_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="VIRTUFIN_SERVICES_FILE"):
        load_services(tmp_path / "none.json")
