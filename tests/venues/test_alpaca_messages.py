"""Golden messages: every type as it is on the wire, in both encodings."""

import msgpack
import pytest

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues.alpaca import (
    Bar,
    CancelError,
    Correction,
    CryptoQuote,
    CryptoTrade,
    DailyBar,
    ErrorMessage,
    Imbalance,
    Level,
    Luld,
    News,
    OptionQuote,
    OptionTrade,
    Order,
    Orderbook,
    Quote,
    Status,
    Success,
    Timestamp,
    Trade,
    TradeUpdate,
    TradeUpdateMessage,
    UpdatedBar,
    WireEncoding,
    decode,
    encode,
    encoding_of,
    join,
    read_struct,
)

NS = 1_700_000_000_123_456_789
T = Timestamp(NS)
AT = '"t":"2023-11-14T22:13:20.123456789Z"'

GOLDEN = [
    (
        Trade("AAPL", 96921, "D", 126.55, 1, ("@", "I"), T, "C"),
        '{"T":"t","S":"AAPL","i":96921,"x":"D","p":126.55,"s":1,"c":["@","I"],' + AT + ',"z":"C"}',
    ),
    (
        Quote("AMD", "U", 87.66, 1, "Q", 87.68, 4, ("R",), T, "C"),
        '{"T":"q","S":"AMD","bx":"U","bp":87.66,"bs":1,"ax":"Q","ap":87.68,"as":4,"c":["R"],'
        + AT
        + ',"z":"C"}',
    ),
    (
        Bar("SPY", 388.98, 389.13, 388.97, 389.12, 49378.0, 461, 389.06, T),
        '{"T":"b","S":"SPY","o":388.98,"h":389.13,"l":388.97,"c":389.12,"v":49378.0,"n":461,"vw":389.06,'
        + AT
        + "}",
    ),
    (
        UpdatedBar("SPY", 1.0, 2.0, 0.5, 1.5, 3.0, 4, 1.25, T),
        '{"T":"u","S":"SPY","o":1.0,"h":2.0,"l":0.5,"c":1.5,"v":3.0,"n":4,"vw":1.25,' + AT + "}",
    ),
    (
        DailyBar("SPY", 1.0, 2.0, 0.5, 1.5, 3.0, 4, 1.25, T),
        '{"T":"d","S":"SPY","o":1.0,"h":2.0,"l":0.5,"c":1.5,"v":3.0,"n":4,"vw":1.25,' + AT + "}",
    ),
    (
        Correction("EEM", "M", 1, 39.12, 20, ("@",), 2, 39.13, 21, ("@",), T, "B"),
        '{"T":"c","S":"EEM","x":"M","oi":1,"op":39.12,"os":20,"oc":["@"],"ci":2,"cp":39.13,"cs":21,"cc":["@"],'
        + AT
        + ',"z":"B"}',
    ),
    (
        CancelError("GOOGL", 20, "D", 117.61, 5, "C", T, "C"),
        '{"T":"x","S":"GOOGL","i":20,"x":"D","p":117.61,"s":5,"a":"C",' + AT + ',"z":"C"}',
    ),
    (
        Luld("IONM", 3.24, 2.65, "B", T, "C"),
        '{"T":"l","S":"IONM","u":3.24,"d":2.65,"i":"B",' + AT + ',"z":"C"}',
    ),
    (
        Status("AAPL", "H", "Trading Halt", "T12", "Additional Information Requested", T, "C"),
        '{"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","rc":"T12","rm":"Additional Information Requested",'
        + AT
        + ',"z":"C"}',
    ),
    (
        Imbalance("INAQU", 9.12, "C", T),
        '{"T":"i","S":"INAQU","p":9.12,"z":"C",' + AT + "}",
    ),
    (
        CryptoTrade("BTC/USD", 27000.1, 0.0024, T, 7, "S"),
        '{"T":"t","S":"BTC/USD","p":27000.1,"s":0.0024,' + AT + ',"i":7,"tks":"S"}',
    ),
    (
        CryptoQuote("BTC/USD", 27000.1, 0.5, 27001.2, 0.25, T),
        '{"T":"q","S":"BTC/USD","bp":27000.1,"bs":0.5,"ap":27001.2,"as":0.25,' + AT + "}",
    ),
    (
        Orderbook("BTC/USD", T, (Level(27000.1, 0.5),), (Level(27001.2, 0.0),), r=True),
        '{"T":"o","S":"BTC/USD",' + AT + ',"b":[{"p":27000.1,"s":0.5}],"a":[{"p":27001.2,"s":0.0}],"r":true}',
    ),
    (
        Orderbook("BTC/USD", T, (Level(27000.1, 0.5),), ()),
        '{"T":"o","S":"BTC/USD",' + AT + ',"b":[{"p":27000.1,"s":0.5}],"a":[]}',
    ),
    (
        OptionTrade("AAPL240315C00172500", T, 2.84, 1, "N", "S"),
        '{"T":"t","S":"AAPL240315C00172500",' + AT + ',"p":2.84,"s":1,"x":"N","c":"S"}',
    ),
    (
        OptionQuote("AAPL240315C00172500", T, "A", 3.4, 84, "C", 3.5, 12, "A"),
        '{"T":"q","S":"AAPL240315C00172500",'
        + AT
        + ',"bx":"A","bp":3.4,"bs":84,"ax":"C","ap":3.5,"as":12,"c":"A"}',
    ),
    (
        News(1, "Head", "Sum", "Me", T, T, "https://x", "<p>c</p>", ("AAPL",), "s"),
        '{"T":"n","id":1,"headline":"Head","summary":"Sum","author":"Me",'
        + AT.replace("t", "created_at", 1)
        + ","
        + AT.replace("t", "updated_at", 1)
        + ',"url":"https://x","content":"<p>c</p>","symbols":["AAPL"],"source":"s"}',
    ),
    (Success("connected"), '{"T":"success","msg":"connected"}'),
    (ErrorMessage(402, "auth failed"), '{"T":"error","code":402,"msg":"auth failed"}'),
]


@pytest.mark.parametrize(("message", "text"), GOLDEN, ids=lambda value: type(value).__name__)
def test_a_message_in_json(message, text):
    encoded = encode(message, WireEncoding.JSON)
    assert encoded.decode() == text
    assert read_struct(decode(encoded), type(message)) == message


@pytest.mark.parametrize(("message", "text"), GOLDEN, ids=lambda value: type(value).__name__)
def test_a_message_in_msgpack_has_t_first_and_real_timestamps(message, text):
    encoded = encode(message, WireEncoding.MSGPACK)
    value = msgpack.unpackb(encoded)
    expected = decode(text.encode())
    assert next(iter(value)) == "T"
    for name in ("t", "created_at", "updated_at"):
        if name in value:
            assert value[name].to_unix_nano() == NS
            expected[name] = value[name]
    assert value == expected
    assert list(value) == list(expected)


def test_a_trade_update_has_numbers_as_strings_and_nulls_for_what_does_not_apply():
    order = Order(
        id="1",
        client_order_id="2",
        created_at=T,
        updated_at=T,
        submitted_at=T,
        asset_id="3",
        symbol="AAPL",
        qty="5",
        side="buy",
        status="new",
        limit_price="1.5",
    )
    message = TradeUpdateMessage(
        "trade_updates", TradeUpdate(event="new", execution_id="4", timestamp=T, order=order)
    )
    value = decode(encode(message, WireEncoding.JSON))
    assert list(value) == ["stream", "data"]
    assert list(value["data"]) == ["event", "execution_id", "timestamp", "order"]
    assert value["data"]["order"]["qty"] == "5"
    assert value["data"]["order"]["filled_at"] is None
    assert len(value["data"]["order"]) == 33


@pytest.mark.parametrize("size", [0, 1, 15, 16, 100, 65_535])
def test_arrays_are_joined_as_an_encoder_would(size):
    items = [{"T": "t", "i": index} for index in range(size)]
    for encoding, plain in (
        (WireEncoding.JSON, encode(items, WireEncoding.JSON)),
        (WireEncoding.MSGPACK, msgpack.packb(items)),
    ):
        joined = join([encode(item, encoding) for item in items], encoding)
        assert joined == plain
        assert encoding_of(joined) is encoding


def test_an_array_that_no_frame_holds_is_refused():
    with pytest.raises(ValueError, match="65536"):
        join([b"\xc0"] * 65_536, WireEncoding.MSGPACK)


@pytest.mark.parametrize("payload", [b"", b"{", b"[1,", b"\xc1", b"\x91", b'["\xff"]'])
def test_what_is_neither_json_nor_msgpack_is_refused(payload):
    with pytest.raises(InvalidInputError, match="neither JSON nor msgpack"):
        decode(payload)


def test_a_message_that_does_not_fit_its_struct_names_the_field():
    with pytest.raises(InvalidInputError, match=r"\$\.p"):
        read_struct({"T": "i", "S": "A", "p": "x", "z": "C", "t": "2023-11-14T22:13:20Z"}, Imbalance)
    with pytest.raises(InvalidInputError, match=r"\$\.t"):
        read_struct({"T": "i", "S": "A", "p": 1, "z": "C", "t": 5}, Imbalance)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (NS, "2023-11-14T22:13:20.123456789Z"),
        (1_700_000_000_100_000_000, "2023-11-14T22:13:20.1Z"),
        (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
    ],
)
def test_times_keep_nanoseconds(ns, text):
    assert Timestamp(ns).rfc3339() == text
    assert Timestamp.parse(text) == Timestamp(ns)
    assert hash(Timestamp(ns)) == hash(Timestamp.parse(text))
    assert Timestamp(ns) != ns
    assert text in repr(Timestamp(ns))


def test_times_with_an_offset_are_read():
    assert Timestamp.parse("2023-11-14T23:13:20.5+01:00") == Timestamp(1_700_000_000_500_000_000)
    assert Timestamp.parse("2023-11-14T17:13:20.25-05:00") == Timestamp(1_700_000_000_250_000_000)


def test_msgpack_times_are_read_to_the_microsecond():
    packed = encode(Imbalance("A", 1.0, "C", T), WireEncoding.MSGPACK)
    assert read_struct(decode(packed), Imbalance).t == Timestamp(1_700_000_000_123_457_000)
