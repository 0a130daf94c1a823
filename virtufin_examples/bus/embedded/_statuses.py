"""daprd's answers for which the project has no error of its own."""

from __future__ import annotations

from virtufin_examples.errors import VirtufinError


class UnauthenticatedError(VirtufinError):
    """The API token is missing or wrong."""

    code = "UNAUTHENTICATED"


class UnimplementedError(VirtufinError):
    """The operation does not exist."""

    code = "UNIMPLEMENTED"


class StreamError(VirtufinError):
    """The client does not keep to the protocol of a subscription stream, for which daprd has no code."""

    code = "UNKNOWN"
