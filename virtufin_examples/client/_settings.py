"""Settings of scripts and clients, read from the environment and `.env` (the environment wins)."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from virtufin_examples.errors import InvalidInputError

_PAIRS = (("ALPACA_API_KEY", "ALPACA_API_SECRET"), ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"))
_NONE = SecretStr("")


class ClientSettings(BaseSettings):
    """What a script needs; every variable is listed in `.env.example`. `load` reads and checks them."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True
    )

    api_url: Annotated[str, Field(validation_alias="VIRTUFIN_API_URL")] = ""
    """The gateway, `host:port` or `http://host:port`; empty: a script starts a platform for itself."""
    api_key: Annotated[SecretStr, Field(validation_alias="VIRTUFIN_API_KEY")] = _NONE
    """One of the gateway's keys, where keys are on."""

    alpaca_api_key: Annotated[SecretStr, Field(validation_alias="ALPACA_API_KEY")] = _NONE
    alpaca_api_secret: Annotated[SecretStr, Field(validation_alias="ALPACA_API_SECRET")] = _NONE
    apca_api_key_id: Annotated[SecretStr, Field(validation_alias="APCA_API_KEY_ID")] = _NONE
    apca_api_secret_key: Annotated[SecretStr, Field(validation_alias="APCA_API_SECRET_KEY")] = _NONE

    @classmethod
    def load(cls) -> Self:
        """Read them; `InvalidInputError` names a variable with a bad value, or the missing half of a pair."""
        try:
            settings = cls()
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidInputError(f"{first['loc'][0]}: {first['msg']}", hint="correct it") from None
        for pair in _PAIRS:
            given = [name for name in pair if settings._value(name)]
            if len(given) == 1:
                missing = pair[1 - pair.index(given[0])]
                raise InvalidInputError(
                    f"{given[0]} is set and {missing} is not", hint=f"set {missing} too, or neither"
                )
        return settings

    @property
    def has_alpaca_keys(self) -> bool:
        """Whether a pair of Alpaca keys is given; the platform reads them itself."""
        return any(all(self._value(name) for name in pair) for pair in _PAIRS)

    def has_keys(self, venue: str) -> bool:
        """Whether keys of a venue are given; only Alpaca's can be."""
        return venue == "alpaca" and self.has_alpaca_keys

    def _value(self, variable: str) -> str:
        value: SecretStr = getattr(self, variable.lower())
        return value.get_secret_value()
