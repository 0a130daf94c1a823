from __future__ import annotations

import re
from pathlib import Path

import pytest

from virtufin_examples.client import ClientSettings
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.settings import PlatformSettings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("ALPACA_API_KEY", "ALPACA_API_SECRET"),
        ("ALPACA_API_SECRET", "ALPACA_API_KEY"),
        ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"),
        ("APCA_API_SECRET_KEY", "APCA_API_KEY_ID"),
    ],
)
def test_half_a_pair_names_the_other_half(given: str, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(given, "canary")
    with pytest.raises(InvalidInputError, match=f"{missing} is not") as caught:
        ClientSettings.load()
    assert "canary" not in str(caught.value)


def test_either_pair_counts_as_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not ClientSettings.load().has_alpaca_keys
    monkeypatch.setenv("APCA_API_KEY_ID", "a")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "b")
    assert ClientSettings.load().has_alpaca_keys


def test_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("VIRTUFIN_API_URL=file:1\nVIRTUFIN_API_KEY=k\n", encoding="utf-8")
    monkeypatch.setenv("VIRTUFIN_API_URL", "environment:2")
    settings = ClientSettings.load()
    assert settings.api_url == "environment:2"
    assert settings.api_key.get_secret_value() == "k"
    assert "k" not in repr(settings.api_key)


def _variables(model: type) -> dict[str, object]:
    prefix = model.model_config.get("env_prefix", "")
    return {
        str(field.validation_alias) if field.validation_alias else (prefix + name).upper(): field.default
        for name, field in model.model_fields.items()
    }


def _text(default: object) -> str:
    if default is None or default == ():
        return ""
    if hasattr(default, "get_secret_value"):
        return default.get_secret_value()
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_the_example_file_lists_every_variable_with_its_default() -> None:
    wanted = {**_variables(PlatformSettings), **_variables(ClientSettings)}
    listed = dict(
        re.findall(r"^# ?([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert listed == {name: _text(default) for name, default in wanted.items()}
