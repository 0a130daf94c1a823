"""The auditor finds what is planted, and nothing where nothing is."""

from __future__ import annotations

import msgspec
import pytest

from virtufin_examples.audit import Auditor, FindingKind, VenueAccount
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.frames import Cause, Frame, FrameFlag, Gap, Stale

S = 1_000_000_000
START = 1_700_000_000 * S


class Run:
    """A venue that makes a frame every 0.1 s for each of two symbols, and what a subscriber got."""

    def __init__(self, connection="c1") -> None:
        self.account = VenueAccount()
        self.items: list = []
        self.now = START
        self.connection = connection
        self.sequence = 0
        self.epoch = 0
        self.made = 0
        self.last_ns = START

    def open(self) -> int:
        self.epoch += 1
        return self.account.opened(self.now)

    def make(self, count, *sockets, delivers=True, sends=True, twice=False):
        for _ in range(count):
            self.now += S // 10
            self.made += 1
            for symbol in ("A", "B"):
                data = f"{symbol} {self.made}".encode()
                for socket in sockets:
                    entry = self.account.offered(socket, data, self.now, lane=symbol, symbol=symbol)
                    for _ in range((1 + twice) if sends else 0):
                        self.account.sent(entry, self.now)
                if delivers:
                    for _ in range(1 + twice):
                        self.deliver(data)

    def deliver(self, data, flags=FrameFlag.NONE):
        self.sequence += 1
        self.last_ns = self.now
        self.items.append(Frame("t", self.connection, self.epoch, self.sequence, self.now, data, flags))

    def gap(self, cause=Cause.RECONNECT, from_ns=None, **fields):
        if "sequence" not in fields:
            self.sequence += 1
        gap = {
            "topic": "t",
            "connection_id": self.connection,
            "epoch_before": self.epoch,
            "epoch_after": self.epoch,
            "cause": cause,
            "from_ns": self.last_ns if from_ns is None else from_ns,
            "to_ns": self.now,
            "sequence": self.sequence,
        }
        self.items.append(Gap(**(gap | fields)))

    def audit(self, **options):
        auditor = Auditor()
        for item in self.items:
            auditor.received(item)
        return auditor.audit(self.account, **options)

    def kinds(self, **options):
        return {finding.kind for finding in self.audit(**options).findings}

    def index(self, data):
        return next(n for n, item in enumerate(self.items) if isinstance(item, Frame) and item.data == data)


@pytest.fixture
def run():
    """Frames, a drop that loses some, frames."""
    run = Run()
    first = run.open()
    run.make(20, first)
    run.make(3, first, delivers=False)
    run.account.closed(first, run.now)
    run.account.outage("drop", run.now, run.now)
    run.now += S // 2
    second = run.open()
    run.gap()
    run.make(20, second)
    return run


def test_an_account_that_closes_has_its_figures(run):
    result = run.audit()
    assert result.findings == ()
    assert (result.sent, result.delivered, result.in_gaps, result.gaps) == (86, 80, 6, 1)
    assert (result.faults, result.announced_ns, result.injected_ns) == (1, 8 * S // 10, 0)
    assert result.summary().startswith(
        "account closed: 86 frames sent: 80 delivered, 6 in 1 announced gaps (0.8 s"
    )
    assert result.figures()["closed"] is True


def test_a_planted_loss_is_found(run):
    del run.items[run.index(b"A 7")]
    assert run.kinds() == {FindingKind.LOSS, FindingKind.HOLE}


def test_a_planted_loss_is_found_where_the_numbers_hide_it(run):
    at = run.index(b"A 7")
    run.items[at] = Stale(topic="t", connection_id="c1", epoch=1, sequence=run.items[at].sequence, since_ns=0)
    (finding,) = run.audit().findings
    assert finding.kind is FindingKind.LOSS
    assert "frame 6 of A" in str(finding)


def test_a_planted_repeat_is_found(run):
    at = run.index(b"B 9")
    run.items.insert(at + 1, run.items[at])
    assert run.kinds() == {FindingKind.REPEAT, FindingKind.ORDER}


def test_a_planted_repeat_with_a_number_of_its_own_is_found(run):
    run.deliver(b"B 9")
    assert run.kinds() == {FindingKind.REPEAT}


def test_a_planted_swap_is_found(run):
    one, two = run.index(b"A 7"), run.index(b"A 8")
    first, second = run.items[one], run.items[two]
    run.items[one] = msgspec.structs.replace(first, data=second.data)
    run.items[two] = msgspec.structs.replace(second, data=first.data)
    assert run.kinds() == {FindingKind.SWAP}


@pytest.mark.parametrize("skipped", [True, False])
def test_a_frame_that_only_the_slower_of_two_sockets_brought_may_come_behind_later_ones(skipped):
    run = Run()
    sockets = [run.open(), run.open()]
    for number in range(1, 4):
        data = b"A %d" % number
        for socket in sockets:
            entry = run.account.offered(socket, data, run.now, lane="A", symbol="A")
            if not (skipped and number == 1 and socket == sockets[0]):
                run.account.sent(entry, run.now)
    for number in (2, 1, 3):
        run.deliver(b"A %d" % number)
    assert run.kinds() == (set() if skipped else {FindingKind.SWAP})


def test_a_swallowed_gap_is_found(run):
    run.items = [item for item in run.items if isinstance(item, Frame)]
    assert run.kinds() == {FindingKind.LOSS, FindingKind.HOLE}
    assert sum(finding.kind is FindingKind.LOSS for finding in run.audit().findings) == 6


def test_a_gap_in_the_wrong_place_explains_nothing(run):
    at = next(n for n, item in enumerate(run.items) if isinstance(item, Gap))
    run.items.append(run.items.pop(at))
    assert FindingKind.LOSS in run.kinds()


def test_a_gap_with_the_wrong_times_is_found(run):
    at = next(n for n, item in enumerate(run.items) if isinstance(item, Gap))
    run.items[at] = msgspec.structs.replace(run.items[at], from_ns=run.items[at].from_ns + S // 4)
    assert run.kinds() == {FindingKind.BOUNDS}


@pytest.mark.parametrize("cause", [Cause.RECONNECT, Cause.RESTART, Cause.VENUE_SEQUENCE, Cause.OVERFLOW])
def test_a_false_gap_is_found(run, cause):
    numbers = {"first_sequence": 50, "last_sequence": 60} if cause is Cause.OVERFLOW else {}
    run.make(5, 1)
    run.gap(cause, **numbers)
    run.make(5, 1)
    assert run.kinds() == {FindingKind.FALSE_GAP}


def test_a_frame_that_nobody_sent_is_found(run):
    run.deliver(b"A 1000")
    assert run.kinds() == {FindingKind.UNKNOWN}


def test_more_time_announced_than_two_seconds_a_fault_is_found():
    run = Run()
    first = run.open()
    run.make(5, first)
    run.account.outage("drop", run.now, run.now + S)
    run.account.closed(first, run.now)
    run.now += 29 * S // 10
    second = run.open()
    run.gap()
    run.make(5, second)
    assert run.kinds() == set()
    assert {each.kind for each in _audited(run, allowance_ns=S).findings} == {FindingKind.EXCESS}


def _audited(run, **options):
    auditor = Auditor(**options)
    for item in run.items:
        auditor.received(item)
    return auditor.audit(run.account)


def test_answers_and_garbage_may_be_handed_out(run):
    run.account.other(b"!ok")
    run.deliver(b"!ok")
    assert run.kinds() == set()


def test_what_was_backfilled_is_beside_the_stream(run):
    run.deliver(b"A 3", FrameFlag.BACKFILL)
    run.sequence -= 1
    assert run.kinds() == set()


def test_two_sockets_that_bring_the_same_owe_it_once():
    run = Run()
    first, second = run.open(), run.open()
    run.make(10, first, second)
    run.make(10, second)
    assert run.audit().sent == 40
    assert run.kinds() == set()
    run.deliver(b"A 5")
    assert run.kinds() == {FindingKind.REPEAT}


def test_a_venue_that_repeats_itself_may_be_repeated():
    run = Run()
    run.make(5, run.open(), twice=True)
    assert run.kinds() == set()
    run.deliver(b"A 5")
    assert run.kinds() == {FindingKind.REPEAT}


def test_a_frame_that_the_venue_kept_back_explains_a_gap_of_its_symbol_only():
    run = Run()
    socket = run.open()
    run.make(5, socket)
    run.make(1, socket, sends=False, delivers=False)
    run.gap(Cause.VENUE_SEQUENCE, symbols=("A",))
    run.make(5, socket)
    assert _audited(run, allowance_ns=0).findings[0].kind is FindingKind.EXCESS
    run.account.outage("skip", run.now, run.now)
    assert run.kinds() == set()
    run.gap(Cause.VENUE_SEQUENCE, symbols=("C",))
    assert run.kinds() == {FindingKind.FALSE_GAP}


def test_numbers_that_a_gap_names_are_no_hole():
    run = Run()
    socket = run.open()
    run.make(5, socket)
    run.make(2, socket, delivers=False)
    run.sequence += 4
    run.gap(Cause.BUS, first_sequence=11, last_sequence=14, sequence=0)
    run.make(5, socket)
    run.account.outage("bus", run.now, run.now)
    assert run.kinds() == set()


def test_what_was_sent_before_or_after_need_not_have_come(run):
    run.items = run.items[4:-4]
    low, high = run.items[0].received_ns, run.items[-1].received_ns
    assert run.kinds() == {FindingKind.LOSS}
    assert run.kinds(from_ns=low, until_ns=high) == set()


def test_a_lane_of_two_connections_cannot_be_audited(run):
    run.connection = "c2"
    run.sequence = 0
    run.make(1, 1)
    run.connection = "c1"
    run.make(1, 1)
    with pytest.raises(InvalidInputError, match="lane A came by connections c1 and c2"):
        run.audit()


def test_an_account_travels_as_json(run):
    run.account.other(b"!ok")
    again = VenueAccount.decode(run.account.encode())
    assert again.encode() == run.account.encode()
    run.account = again
    run.make(2, 1)
    assert run.kinds() == set()


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"kind":"virtufin.audit.account","version":1}'])
def test_what_is_no_account_is_refused(data):
    with pytest.raises(InvalidInputError, match="account: "):
        VenueAccount.decode(data)


def test_an_account_of_a_newer_version_is_refused():
    newer = VenueAccount().encode().replace(b'"version":1', b'"version":2')
    with pytest.raises(InvalidInputError, match="version 2, this program reads 1"):
        VenueAccount.decode(newer)
