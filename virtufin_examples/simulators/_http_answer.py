"""An HTTP answer in place of an upgrade: REST on the port of the streams."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from picows import WSUpgradeResponse


def json_answer(status: int, body: bytes, headers: Mapping[str, str]) -> WSUpgradeResponse:
    """Return the answer; picows has one call for 200 and another for errors."""
    fields = {"Content-Type": "application/json", **headers}
    if status == HTTPStatus.OK:
        response: WSUpgradeResponse = WSUpgradeResponse.create_ok_response(body, fields)
    else:
        response = WSUpgradeResponse.create_error_response(status, body, fields)
    return response
