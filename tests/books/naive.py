"""The book rule once more, written as slowly and plainly as can be: what the fast book is held against."""

from decimal import Decimal


class NaiveBook:
    """Keeps every event since the start and replays all of them for each answer."""

    def __init__(self, futures=False):
        self.futures = futures
        self.events = []
        self.snapshot = None

    def levels(self):
        """(bids, asks) as dicts of decimals, or None when the documents' rule gives no book."""
        if self.snapshot is None:
            return None
        snapshot_id, bids, asks = self.snapshot
        sides = [{Decimal(p): Decimal(s) for p, s in levels if Decimal(s)} for levels in (bids, asks)]
        local = None
        for first, last, previous, *changes in self.events:
            if self._is_old(last, snapshot_id) or (local is not None and last <= local):
                continue
            if not self._joins(first, previous, snapshot_id, local):
                return None
            for side, levels in zip(sides, changes, strict=True):
                _change(side, levels)
            local = last
        if local is None and (self.futures or not self.events):
            return None
        return sides

    def _is_old(self, last, snapshot_id):
        return last < snapshot_id if self.futures else last <= snapshot_id

    def _joins(self, first, previous, snapshot_id, local):
        if local is None:
            return first <= (snapshot_id if self.futures else snapshot_id + 1)
        return previous == local if self.futures else first <= local + 1


def _change(side, levels):
    for price, size in levels:
        if Decimal(size):
            side[Decimal(price)] = Decimal(size)
        else:
            side.pop(Decimal(price), None)


def levels_of(book):
    """The same of a fast book."""
    return [{level.price: level.size for level in side} for side in (book.bids, book.asks)]
