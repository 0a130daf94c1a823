"""Secrets of the embedded runtime, read from the environment (`docs/architecture.md`, "Secrets")."""

from __future__ import annotations

from collections.abc import Mapping

from virtufin_examples.errors import InvalidInputError

PREFIX = "VIRTUFIN_SECRET_"
ALPACA = "alpaca"
ALPACA_HOSTS = (
    "stream.data.alpaca.markets",
    "stream.data.sandbox.alpaca.markets",
    "data.alpaca.markets",
    "data.sandbox.alpaca.markets",
    "api.alpaca.markets",
    "paper-api.alpaca.markets",
)
_ALPACA_PAIRS = (("ALPACA_API_KEY", "ALPACA_API_SECRET"), ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"))


def secrets_from_environment(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the secrets by name, each with its entries.

    `VIRTUFIN_SECRET_BINANCE_API_KEY=x` is entry `api_key` of the secret `binance`. Alpaca's usual variables
    make up the secret `alpaca` (entries `key`, `secret`, `hosts`); `ALPACA_...` wins over `APCA_...`, and a
    `VIRTUFIN_SECRET_ALPACA_...` over both. Empty variables count as not set.

    Raises `InvalidInputError` for a variable without an entry, and for a key without its other half.
    """
    secrets: dict[str, dict[str, str]] = {}
    for key_variable, secret_variable in _ALPACA_PAIRS:
        key, secret = environ.get(key_variable, ""), environ.get(secret_variable, "")
        if bool(key) != bool(secret):
            missing, given = (secret_variable, key_variable) if key else (key_variable, secret_variable)
            raise InvalidInputError(
                f"{missing} is not set, but {given} is", hint=f"set {missing} as well, or neither"
            )
        if key and ALPACA not in secrets:
            secrets[ALPACA] = {"key": key, "secret": secret, "hosts": ",".join(ALPACA_HOSTS)}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or not value:
            continue
        name, _, entry = variable.removeprefix(PREFIX).lower().partition("_")
        if not name or not entry:
            raise InvalidInputError(
                f"{variable} names no entry of a secret", hint=f"name it {PREFIX}<NAME>_<ENTRY>"
            )
        secrets.setdefault(name, {})[entry] = value
    return secrets
