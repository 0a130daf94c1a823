"""Beacon, the venue of the example connector, on this machine: HTTP for the login, a socket for the rest.

A socket wants a token in its URL and is cut when that expires. Topics are joined one by one; each sends
events numbered from 1. Who sends no heartbeat for a while is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Self
from urllib.parse import parse_qs, urlsplit

from picows import (
    WSCloseCode,
    WSListener,
    WSMsgType,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

TOPICS = ("prices:ABC", "prices:XYZ")
EVENT_SECONDS = 0.01
SILENCE_SECONDS = 9.0


class BeaconVenue:
    """`lifetimes` are those of the tokens, one after the other; the last one goes on."""

    def __init__(self, user: str, password: str, lifetimes: tuple[float, ...]) -> None:
        self.credentials = {"user": user, "password": password}
        self.lifetimes = list(lifetimes)
        self.tokens: dict[str, float] = {}
        self.refused_upgrades = 0
        self.sockets: list[BeaconSocket] = []  # all that there ever were
        self.sent = dict.fromkeys(TOPICS, 0)

    async def __aenter__(self) -> Self:
        self._http = await asyncio.start_server(self._login, "127.0.0.1", 0)
        self._server = await ws_create_server(self._upgrade, "127.0.0.1", 0)
        self._market = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._market.cancel()
        self.cut()
        for server in (self._http, self._server):
            server.close()
            await server.wait_closed()
        with contextlib.suppress(asyncio.CancelledError):
            await self._market

    @property
    def login_url(self) -> str:
        return f"http://127.0.0.1:{self._http.sockets[0].getsockname()[1]}/login"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/socket"

    @property
    def open_sockets(self) -> list[BeaconSocket]:
        return [each for each in self.sockets if not each.ended]

    def cut(self) -> None:
        """Cut all sockets without a word."""
        for each in self.open_sockets:
            each.transport.disconnect(graceful=False)

    async def _login(self, reader, writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if b"content-length" in line)
        given = json.loads(await reader.readexactly(length))
        if head.startswith(b"post /login ") and given == self.credentials:
            token = f"token-{len(self.tokens) + 1}"
            lifetime = self.lifetimes.pop(0) if len(self.lifetimes) > 1 else self.lifetimes[0]
            self.tokens[token] = asyncio.get_running_loop().time() + lifetime
            status, body = "200 OK", json.dumps({"token": token, "expires_in": lifetime}).encode()
        else:
            status, body = "401 Unauthorized", b"{}"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def _upgrade(self, request):
        token = parse_qs(urlsplit(request.path.decode()).query).get("token", [""])[0]
        if self.tokens.get(token, 0.0) <= asyncio.get_running_loop().time():
            self.refused_upgrades += 1
            refusal = WSUpgradeResponse.create_error_response(401, b"token")
            return WSUpgradeResponseWithListener(refusal, None)
        socket = BeaconSocket(self, token)
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(), socket)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVENT_SECONDS)
            for topic in TOPICS:
                self.sent[topic] += 1
                for each in self.open_sockets:
                    if topic in each.topics:
                        each.say(["event", topic, self.sent[topic], {"price": 100}])
            now = asyncio.get_running_loop().time()
            for each in self.open_sockets:
                if now >= self.tokens[each.token]:
                    each.leave("token expired")
                elif now - each.heard_at > SILENCE_SECONDS:
                    each.leave("no heartbeat")


class BeaconSocket(WSListener):
    def __init__(self, venue: BeaconVenue, token: str) -> None:
        self.venue = venue
        self.token = token
        self.topics: list[str] = []
        self.beats = 0
        self.ended = False
        self.left = ""

    def on_ws_connected(self, transport) -> None:
        self.transport = transport
        self.heard_at = asyncio.get_running_loop().time()
        self.venue.sockets.append(self)

    def on_ws_disconnected(self, transport) -> None:
        self.ended = True

    def on_ws_frame(self, transport, frame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.TEXT:
            self.heard_at = asyncio.get_running_loop().time()
            self._answer(json.loads(frame.get_payload_as_utf8_text()))

    def say(self, message: list) -> None:
        self.transport.send(WSMsgType.TEXT, json.dumps(message, separators=(",", ":")).encode())

    def leave(self, reason: str) -> None:
        self.left = reason
        self.transport.send_close(WSCloseCode.POLICY_VIOLATION, reason)
        self.transport.disconnect()

    def _answer(self, message: list) -> None:
        match message:
            case ["beat"]:
                self.beats += 1
                self.say(["beat"])
            case ["join", topic] if topic in TOPICS:
                self.topics.append(topic)
                self.say(["joined", topic])
            case ["join", topic]:
                self.say(["refused", topic, "no such topic"])
            case ["leave", topic]:
                self.topics.remove(topic)
                self.say(["left", topic])
