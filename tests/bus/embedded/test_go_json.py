from __future__ import annotations

import pytest

from virtufin_examples.bus.embedded._go_json import rewritten


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (b'{"z": 1732108308123456789, "a": 1}', b'{"a":1,"z":1732108308123456800}'),
        (b"[1.0, 1e30, -0.0, 0, 2.50]", b"[1,1e+30,-0,0,2.5]"),
        (b"[1e-7, 1e-6, 1.5e-9, 1e20, 1e21]", b"[1e-7,0.000001,1.5e-9,100000000000000000000,1e+21]"),
        (b'"<b> & \\u2028 \\u00fc"', '"\\u003cb\\u003e \\u0026 \\u2028 ü"'.encode()),
        (b'{"b":[true,null,{}],"a":""}', b'{"a":"","b":[true,null,{}]}'),
    ],
)
def test_it_writes_what_go_writes(given, written):
    assert rewritten(given) == written


@pytest.mark.parametrize("text", [b"{broken", b"NaN", b"1e400", b""])
def test_what_go_cannot_read_is_an_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whichever it is, the caller takes it for text
        rewritten(text)
