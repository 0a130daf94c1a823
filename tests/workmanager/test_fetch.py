"""Code from URLs, from a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable

import pytest
import structlog

from tests.workmanager.conftest import Platforms
from tests.workmanager.fakes import ECHO, FakeBus
from virtufin_examples._generated.virtufin.v1 import workmanager_pb2 as pb
from virtufin_examples.errors import (
    AccessDeniedError,
    DeadlineError,
    InvalidInputError,
    ResourceLimitError,
    UnavailableError,
)
from virtufin_examples.workmanager._code import CodeLoader
from virtufin_examples.workmanager._fetch import MAX_REDIRECTS, Credential, fetch_code

Answer = tuple[str, dict[str, str], bytes]


class Server:
    """Answers each path with what `answers` holds and remembers the requests' headers."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[], Answer]] = {"/code.py": ("200 OK", {}, ECHO)}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.port = 0
        self.stalled = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            path = first.split(" ")[1]
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            self.requests.append((path, headers))
            if path.startswith("/stall"):
                await self.stalled.wait()
                return
            status, extra, body = self.answers.get(path.partition("?")[0], ("404 Not Found", {}, b""))
            fields = {"content-length": str(len(body)), "connection": "close", **extra}
            writer.write(f"HTTP/1.1 {status}\r\n".encode())
            writer.write("".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n")
            writer.write(body)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    served = Server()
    listener = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.port = listener.sockets[0].getsockname()[1]
    yield served
    served.stalled.set()
    listener.close()
    await listener.wait_closed()


async def to_loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


async def fetch(server: Server, path: str = "/code.py", host: str = "code.test", **options) -> bytes:
    settings = {"allowed_hosts": ("code.test",), "timeout_seconds": 5.0, "resolver": to_loopback, **options}
    return await fetch_code(f"http://{host}:{server.port}{path}", **settings)


async def test_code_is_fetched_from_the_checked_address_under_its_own_name(server: Server) -> None:
    assert await fetch(server) == ECHO
    assert server.requests[0][1]["host"] == f"code.test:{server.port}"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "224.0.0.1", "0.0.0.0"]
)
async def test_hosts_inside_the_network_are_refused_without_a_connection(
    server: Server, address: str
) -> None:
    async def resolver(_host: str, _port: int) -> list[str]:
        return ["8.8.8.8", address]

    with pytest.raises(
        AccessDeniedError, match=r"host code\.test has a .* address .*VIRTUFIN_ALLOWED_CODE_HOSTS"
    ):
        await fetch(server, allowed_hosts=(), resolver=resolver)
    assert not server.requests


async def test_a_name_is_resolved_once_so_a_second_answer_leads_nowhere(server: Server) -> None:
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    assert await fetch(server, resolver=rebinding) == ECHO
    assert asked == ["code.test"]


async def test_a_redirect_to_the_inside_is_refused(server: Server) -> None:
    server.answers["/code.py"] = ("302 Found", {"location": f"http://inside.test:{server.port}/x"}, b"")

    with pytest.raises(AccessDeniedError, match=r"host inside\.test has a loopback address"):
        await fetch(server)
    assert len(server.requests) == 1


async def test_a_redirect_is_followed_without_the_credential_on_another_host(server: Server) -> None:
    server.answers["/start"] = ("302 Found", {"location": "/next"}, b"")
    server.answers["/next"] = ("307 X", {"location": f"http://other.test:{server.port}/code.py"}, b"")

    code = await fetch(
        server, "/start", allowed_hosts=("code.test", "other.test"), credential=Credential.bearer("canary")
    )

    assert code == ECHO
    assert [headers.get("authorization") for _, headers in server.requests] == [
        "Bearer canary", "Bearer canary", None,
    ]  # fmt: skip


async def test_a_redirect_without_end_is_given_up(server: Server) -> None:
    server.answers["/loop"] = ("302 Found", {"location": "/loop"}, b"")

    with pytest.raises(UnavailableError, match="redirects more than 5 times"):
        await fetch(server, "/loop")
    assert len(server.requests) == MAX_REDIRECTS + 1


async def test_too_much_too_late_and_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeadlineError, match=r"not fetched within 0.1 s"):
        await fetch(server, "/stall?token=canary", timeout_seconds=0.1)
    server.answers["/private"] = ("401 Unauthorized", {}, b"")
    with pytest.raises(AccessDeniedError, match="answered 401"):
        await fetch(server, "/private")
    with pytest.raises(UnavailableError, match=r"/gone answered 404"):
        await fetch(server, "/gone?token=canary")
    server.answers["/zip"] = ("200 OK", {"content-encoding": "gzip"}, b"x")
    with pytest.raises(UnavailableError, match="compressed data unasked"):
        await fetch(server, "/zip")
    monkeypatch.setattr("virtufin_examples.workmanager._fetch.MAX_CODE_BYTES", 10)
    with pytest.raises(ResourceLimitError, match="more than 10 bytes"):
        await fetch(server)


async def test_a_credential_goes_only_where_it_may(server: Server) -> None:
    bound = Credential.bearer("canary", hosts=("elsewhere.test",))
    with pytest.raises(AccessDeniedError, match=r"it may not go to code\.test"):
        await fetch(server, credential=bound)
    with pytest.raises(AccessDeniedError, match="in the clear"):
        await fetch(server, allowed_hosts=(), credential=Credential.basic("u", "canary"))
    assert not server.requests
    assert "canary" not in repr(bound)


async def test_a_named_credential_is_a_secret_of_the_platform(server: Server) -> None:
    bus = FakeBus()
    loader = CodeLoader(bus, allowed_hosts=("127.0.0.1",), timeout_seconds=5)
    url = f"http://127.0.0.1:{server.port}/code.py"
    source = pb.CodeSource(url=url, credential=pb.SourceCredential(named="registry"))

    with pytest.raises(AccessDeniedError, match="no secret 'registry'"):
        await loader.load(source)
    for entries, reason in [
        ({"bearer": "canary"}, "names no hosts"),
        ({"hosts": "127.0.0.1", "password": "canary"}, "is no credential"),
        ({"hosts": "other.test", "bearer": "canary"}, "may not go to"),
    ]:
        bus.secrets["registry"] = entries
        with pytest.raises(AccessDeniedError, match=reason) as caught:
            await loader.load(source)
        assert "canary" not in str(caught.value)
    bus.secrets["registry"] = {"hosts": "127.0.0.1", "username": "me", "password": "canary"}

    code = await loader.load(source)

    assert (code.content, code.sha256, code.url) == (ECHO, hashlib.sha256(ECHO).hexdigest(), url)
    assert server.requests[-1][1]["authorization"].startswith("Basic ")


async def test_a_worker_from_a_url_keeps_no_credential_anywhere(platforms: Platforms, server: Server) -> None:
    platform = await platforms.start(allowed_code_hosts="127.0.0.1")
    url = f"http://127.0.0.1:{server.port}/code.py"
    source = pb.CodeSource(
        url=f"{url}?token=canary",
        credential=pb.SourceCredential(basic=pb.BasicCredential(username="me", password="canary")),
        sha256=hashlib.sha256(ECHO).hexdigest().upper(),
    )

    with structlog.testing.capture_logs() as logs:
        request = pb.CreateWorkerRequest(code_source=source, mime_type="text/x-python", topic="t")
        worker_id = (await platform.stub.CreateWorker(request)).id
        await platform.stub.StartWorker(pb.StartWorkerRequest(id=worker_id))

    history = (await platform.stub.GetWorkerHistory(pb.GetWorkerHistoryRequest(id=worker_id))).entries
    assert history[0].code_source.url == url
    everything = repr((logs, platform.bus.state, history, platform.bus.drain("workmanager.lifecycle")))
    assert "canary" not in everything
    assert "Y2FuYXJ5" not in everything


async def test_a_wrong_hash_is_refused(server: Server) -> None:
    loader = CodeLoader(FakeBus(), allowed_hosts=("127.0.0.1",), timeout_seconds=5)
    with pytest.raises(InvalidInputError, match=r"code_source\.sha256"):
        await loader.load(pb.CodeSource(url=f"http://127.0.0.1:{server.port}/code.py", sha256="ab"))


async def test_a_host_that_is_not_there_is_named() -> None:
    async def nowhere(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(UnavailableError, match=r"host gone\.test is not found"):
        await fetch_code("https://gone.test/x", allowed_hosts=(), timeout_seconds=1, resolver=nowhere)
