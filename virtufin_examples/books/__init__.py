"""Order books: built from snapshots and changes, in whole ticks and lots. Sans-I/O."""

from virtufin_examples.books._book import MOST_BUFFERED, Book, BookLevel, BookUntrueError, Outcome, State
from virtufin_examples.books._side import Level
from virtufin_examples.books._updates import Diff, Rule, Snapshot

__all__ = [
    "MOST_BUFFERED",
    "Book",
    "BookLevel",
    "BookUntrueError",
    "Diff",
    "Level",
    "Outcome",
    "Rule",
    "Snapshot",
    "State",
]
