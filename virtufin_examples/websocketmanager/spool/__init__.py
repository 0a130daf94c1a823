"""The spool: what the bus does not take goes to disk, in order, and comes back after a restart."""

from virtufin_examples.websocketmanager.spool._accounts import Position
from virtufin_examples.websocketmanager.spool._format import (
    FORMAT_VERSION,
    Mark,
    SegmentHeader,
    SpoolFormatError,
    SpoolVersionError,
    mark_of,
)
from virtufin_examples.websocketmanager.spool._root import spool_root
from virtufin_examples.websocketmanager.spool._spool import Batch, Spool, TopicSpool
from virtufin_examples.websocketmanager.spool._topic_files import Appended

__all__ = [
    "FORMAT_VERSION",
    "Appended",
    "Batch",
    "Mark",
    "Position",
    "SegmentHeader",
    "Spool",
    "SpoolFormatError",
    "SpoolVersionError",
    "TopicSpool",
    "mark_of",
    "spool_root",
]
