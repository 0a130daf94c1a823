"""Where worker code may come from."""

from __future__ import annotations

import pytest

from virtufin_examples.workmanager._addresses import host_is_listed, refusal


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"), ("127.9.9.9", "loopback"), ("::1", "loopback"), ("0.0.0.0", "unspecified"),
        ("::", "unspecified"), ("10.0.0.1", "private"), ("172.16.5.4", "private"), ("192.168.1.1", "private"),
        ("169.254.169.254", "link-local"), ("fe80::1%eth0", "link-local"), ("fd00::1", "private"),
        ("224.0.0.1", "multicast"), ("ff02::1", "multicast"), ("100.64.0.1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"), ("::ffff:10.0.0.1", "private"), ("2002:7f00:1::", "loopback"),
        ("64:ff9b::a9fe:a9fe", "link-local"), ("64:ff9b::808:808", ""), ("8.8.8.8", ""),
    ],
)  # fmt: skip
def test_addresses_inside_the_network_are_refused(address: str, kind: str) -> None:
    found = refusal(address)
    assert bool(found) == bool(kind)
    if kind and not address.startswith(("::ffff", "2002", "::", "64")):
        assert found == kind


def test_listed_hosts() -> None:
    listed = ["code.example.com", "*.internal", "localhost:8000", "[::1]:9000"]
    assert host_is_listed("CODE.example.com", 443, listed)
    assert host_is_listed("a.b.internal", 80, listed)
    assert not host_is_listed("internal", 80, listed)
    assert host_is_listed("localhost", 8000, listed)
    assert not host_is_listed("localhost", 8001, listed)
    assert host_is_listed("::1", 9000, listed)
    assert not host_is_listed("evilcode.example.com", 443, listed)
