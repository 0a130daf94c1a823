"""Worker code as requested: bytes or a URL, checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtufin_examples._generated.virtufin.v1 import workmanager_pb2
from virtufin_examples.bus import Bus
from virtufin_examples.errors import AccessDeniedError, InvalidInputError, NotFoundError, ResourceLimitError

if TYPE_CHECKING:
    from virtufin_examples.workmanager import _fetch

MAX_CODE_BYTES = 8 * 1024 * 1024  # with base64 around it, it still fits into one message to a host


@dataclass(frozen=True, slots=True)
class Code:
    """Checked code. `url` is where it came from, without what could be a credential."""

    content: bytes
    sha256: str
    url: str = ""


class CodeLoader:
    """Turns a `CodeSource` into code. Named credentials are secrets of the platform's store.

    Such a secret has an entry `hosts` (where it may go) and either `bearer`, or `username` and `password`.
    """

    def __init__(self, bus: Bus, *, allowed_hosts: Sequence[str], timeout_seconds: float) -> None:
        self._bus = bus
        self._allowed_hosts = allowed_hosts
        self._timeout_seconds = timeout_seconds

    async def load(self, source: workmanager_pb2.CodeSource) -> Code:
        """Return the code; raises what `fetch_code` raises, and `InvalidInputError` for a bad source."""
        kind = source.WhichOneof("source")
        if kind is None:
            raise InvalidInputError("code_source: neither url nor content", hint="set one of them")
        if kind == "content":
            if source.HasField("credential"):
                raise InvalidInputError("code_source.credential: given without a url")
            return checked(source.content, source.sha256)
        # httpx costs a tenth of a second to import, and most workers come as bytes.
        from virtufin_examples.workmanager import _fetch  # noqa: PLC0415 - see above

        content = await _fetch.fetch_code(
            source.url,
            allowed_hosts=self._allowed_hosts,
            timeout_seconds=self._timeout_seconds,
            credential=await self._credential(source.credential),
        )
        return checked(content, source.sha256, url=shown_url(source.url))

    async def _credential(self, credential: workmanager_pb2.SourceCredential) -> _fetch.Credential | None:
        from virtufin_examples.workmanager._fetch import Credential  # noqa: PLC0415 - see `load`

        match credential.WhichOneof("credential"):
            case "basic":
                return Credential.basic(credential.basic.username, credential.basic.password)
            case "bearer":
                return Credential.bearer(credential.bearer)
            case "named":
                return await self._named(credential.named)
            case _:
                return None

    async def _named(self, name: str) -> _fetch.Credential:
        from virtufin_examples.workmanager._fetch import Credential  # noqa: PLC0415 - see `load`

        try:
            entries = await self._bus.get_secret(name)
        except NotFoundError as error:
            raise AccessDeniedError(
                f"code_source.credential.named: there is no secret {name!r}",
                hint="add it to the secret store",
            ) from error
        hosts = tuple(part.strip() for part in entries.get("hosts", "").split(",") if part.strip())
        if not hosts:
            raise AccessDeniedError(
                f"code_source.credential.named: secret {name!r} names no hosts",
                hint="give it an entry `hosts`",
            )
        if "bearer" in entries:
            return Credential.bearer(entries["bearer"], hosts)
        if "username" in entries and "password" in entries:
            return Credential.basic(entries["username"], entries["password"], hosts)
        raise AccessDeniedError(
            f"code_source.credential.named: secret {name!r} is no credential",
            hint="give it an entry `bearer`, or `username` and `password`",
        )


def checked(content: bytes, sha256: str, *, url: str = "") -> Code:
    """Return the code when it is not empty, not too large, and has the hash that was given."""
    if not content:
        raise InvalidInputError("code_source: the code is empty")
    if len(content) > MAX_CODE_BYTES:
        raise ResourceLimitError(
            f"code_source: {len(content)} bytes of code, at most {MAX_CODE_BYTES} are allowed"
        )
    actual = hashlib.sha256(content).hexdigest()
    if sha256 and sha256.strip().lower() != actual:
        raise InvalidInputError(
            f"code_source.sha256: {sha256!r} is not the hash of the code, which is {actual}",
            hint="the code has changed, or is not what you think",
        )
    return Code(content, actual, url)


def shown_url(url: str) -> str:
    """Return a URL without user info, query and fragment, which may be credentials."""
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    return re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*://)?[^/]*@", r"\1", bare)
