from __future__ import annotations

import pytest

from virtufin_examples.bus.embedded import secrets_from_environment
from virtufin_examples.errors import InvalidInputError

HOSTS = (
    "stream.data.alpaca.markets,stream.data.sandbox.alpaca.markets"
    ",data.alpaca.markets,data.sandbox.alpaca.markets,api.alpaca.markets,paper-api.alpaca.markets"
)


def test_a_variable_is_an_entry_of_a_secret():
    environ = {
        "VIRTUFIN_SECRET_BINANCE_API_KEY": "k",
        "VIRTUFIN_SECRET_BINANCE_HOSTS": "*.binance.com",
        "VIRTUFIN_SECRET_OTHER_TOKEN": "t",
        "VIRTUFIN_SECRET_OTHER_EMPTY": "",
        "PATH": "/bin",
    }

    assert secrets_from_environment(environ) == {
        "binance": {"api_key": "k", "hosts": "*.binance.com"},
        "other": {"token": "t"},
    }


@pytest.mark.parametrize(
    "environ",
    [
        {"ALPACA_API_KEY": "k", "ALPACA_API_SECRET": "s"},
        {"APCA_API_KEY_ID": "k", "APCA_API_SECRET_KEY": "s"},
        {
            "ALPACA_API_KEY": "k",
            "ALPACA_API_SECRET": "s",
            "APCA_API_KEY_ID": "other",
            "APCA_API_SECRET_KEY": "other",
        },
        {"APCA_API_KEY_ID": "k", "APCA_API_SECRET_KEY": "s", "ALPACA_API_KEY": "", "ALPACA_API_SECRET": ""},
    ],
)
def test_alpacas_usual_variables_make_up_its_secret(environ):
    assert secrets_from_environment(environ) == {"alpaca": {"key": "k", "secret": "s", "hosts": HOSTS}}


def test_an_own_variable_wins_over_the_usual_ones():
    environ = {
        "VIRTUFIN_SECRET_ALPACA_HOSTS": "localhost",
        "APCA_API_KEY_ID": "k",
        "APCA_API_SECRET_KEY": "s",
    }

    assert secrets_from_environment(environ)["alpaca"] == {"key": "k", "secret": "s", "hosts": "localhost"}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("ALPACA_API_KEY", "ALPACA_API_SECRET"),
        ("ALPACA_API_SECRET", "ALPACA_API_KEY"),
        ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"),
        ("APCA_API_SECRET_KEY", "APCA_API_KEY_ID"),
    ],
)
def test_one_half_of_a_pair_is_refused_without_showing_it(given, missing):
    with pytest.raises(InvalidInputError, match=f"{missing} is not set") as caught:
        secrets_from_environment({given: "canary"})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("variable", ["VIRTUFIN_SECRET_ALPACA", "VIRTUFIN_SECRET__KEY", "VIRTUFIN_SECRET_"])
def test_a_variable_without_name_and_entry_is_refused(variable):
    with pytest.raises(InvalidInputError, match=variable) as caught:
        secrets_from_environment({variable: "canary"})
    assert "canary" not in str(caught.value)


def test_nothing_set_is_no_secret():
    assert secrets_from_environment({}) == {}
