from __future__ import annotations

import asyncio
import socket
import time

import msgspec
import pytest

from tests.client.fakes import FakePlatform, serve_nothing
from virtufin_examples.client import ApiClient, CloudEvent
from virtufin_examples.errors import (
    AccessDeniedError,
    ConflictError,
    NotFoundError,
    UnavailableError,
    VirtufinError,
)


async def failure(endpoint: str, key: str | None = None) -> VirtufinError:
    started = time.monotonic()
    with pytest.raises(VirtufinError) as caught:
        async with ApiClient(endpoint, key):
            pass
    assert time.monotonic() - started < 5
    return caught.value


async def test_no_such_host_is_named() -> None:
    error = await failure("no-such-host.invalid:5002")
    assert isinstance(error, UnavailableError)
    assert "no such host 'no-such-host.invalid'" in str(error)
    assert "VIRTUFIN_API_URL" in str(error)


async def test_refused_connection_says_that_nothing_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        error = await failure(f"127.0.0.1:{port}")
    assert isinstance(error, UnavailableError)
    assert "nothing listens there" in str(error)


async def test_http_port_is_no_gateway(platform: FakePlatform) -> None:
    error = await failure(platform.http)
    assert isinstance(error, UnavailableError)
    assert "is not a gateway" in str(error)
    assert "not its HTTP port" in str(error)


async def test_server_that_never_speaks_is_no_gateway() -> None:
    silent = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1", 0)
    writers: list[asyncio.StreamWriter] = []
    port = silent.sockets[0].getsockname()[1]
    error = await failure(f"127.0.0.1:{port}")
    for writer in writers:
        writer.close()
        await writer.wait_closed()
    silent.close()
    await silent.wait_closed()
    assert isinstance(error, UnavailableError)
    assert "is not a gateway" in str(error)


async def test_another_grpc_service_is_no_gateway() -> None:
    server, endpoint = await serve_nothing()
    error = await failure(endpoint)
    await server.stop(None)
    assert "speaks gRPC but is not a gateway" in str(error)


@pytest.mark.parametrize("key", [None, "other"])
async def test_missing_or_wrong_key_names_the_variable(key: str | None) -> None:
    async with FakePlatform(api_keys=("right",)) as platform:
        error = await failure(platform.endpoint, key)
        assert isinstance(error, AccessDeniedError)
        assert "VIRTUFIN_API_KEY" in str(error)
        async with ApiClient(platform.endpoint, "right") as api:
            assert await api.list_services() == ("workmanager", "websocketmanager")


async def test_http_scheme_is_accepted(platform: FakePlatform) -> None:
    async with ApiClient(f"http://{platform.endpoint}") as api:
        assert api.endpoint == platform.endpoint


async def test_methods_of_a_service(api: ApiClient) -> None:
    (method,) = await api.list_methods("workmanager")
    assert method.full_name == "virtufin.v1.WorkManager/ListWorkers"
    with pytest.raises(NotFoundError):
        await api.list_methods("nobody")


class _Answer(msgspec.Struct):
    id: str


async def test_invoke_reads_the_response_into_a_type_or_a_dict(
    api: ApiClient, platform: FakePlatform
) -> None:
    request = {"mime_type": "text/x-python", "tags": {}, "lease_seconds": 0}
    typed = await api.invoke_json("workmanager", "CreateWorker", request, reply=_Answer)
    assert typed.id in platform.workers
    plain = await api.invoke_json("workmanager", "ListWorkers")
    assert plain["workers"][0]["id"] == typed.id


async def test_invoke_raises_the_error_of_its_status(api: ApiClient) -> None:
    with pytest.raises(NotFoundError, match="no worker 'x'"):
        await api.invoke_json("workmanager", "StartWorker", {"id": "x"})


async def test_response_that_does_not_fit_is_told(api: ApiClient) -> None:
    with pytest.raises(VirtufinError, match="does not fit"):
        await api.invoke_json("workmanager", "ListWorkers", reply=_Answer)


async def test_published_event_reaches_a_subscription_in_force(api: ApiClient) -> None:
    sent = CloudEvent(type="a.b", data=b'{"n":1}', extensions={"correlationid": "7"})
    binary = CloudEvent(type="a.c", data=b"\x00\xff", content_type="application/octet-stream")
    async with await api.subscribe("a") as tap:
        await api.publish("a", sent)
        await api.publish("a", binary)
        assert [await anext(tap), await anext(tap)] == [sent, binary]


async def test_closing_a_subscription_ends_its_iteration(api: ApiClient) -> None:
    tap = await api.subscribe("a")
    reading = asyncio.create_task(_collect(tap))
    await asyncio.sleep(0)
    await tap.close()
    assert await reading == []


async def _collect(tap) -> list[CloudEvent]:
    return [event async for event in tap]


async def test_subscription_raises_when_the_gateway_goes_away(api: ApiClient, platform: FakePlatform) -> None:
    tap = await api.subscribe("a")
    await platform.hang_up()
    with pytest.raises(UnavailableError):
        await anext(tap)
    await tap.close()


async def test_state_is_compared_and_swapped(api: ApiClient) -> None:
    assert await api.get_state("s", "k") is None
    etag = await api.save_state("s", "k", b"1")
    found = await api.get_state("s", "k")
    assert (found.value, found.etag) == (b"1", etag)
    await api.save_state("s", "k", b"2", etag=etag)
    with pytest.raises(ConflictError):
        await api.save_state("s", "k", b"3", etag=etag)
    await api.delete_state("s", "k")
    assert await api.get_state("s", "k") is None


async def test_config_names_the_sidecar(api: ApiClient, platform: FakePlatform) -> None:
    assert (await api.config("websocketmanager")).dapr_grpc_endpoint == platform.runtime


async def test_call_without_a_connection_says_how_to_connect() -> None:
    with pytest.raises(UnavailableError, match="async with"):
        await ApiClient().list_services()
