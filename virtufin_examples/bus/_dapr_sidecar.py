"""What a sidecar says of itself, and whether it has what a program needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dapr.proto.runtime.v1 import metadata_pb2

from virtufin_examples.bus._lane import LANE_METADATA, LaneAddress, parse_lane
from virtufin_examples.errors import PreconditionError

_EMBEDDED = "virtufin.embedded"  # in the version of our own runtime


@dataclass(frozen=True, slots=True)
class SidecarInfo:
    """A sidecar: its app id, version and components (type by name). `endpoint` is where it was asked."""

    endpoint: str
    app_id: str
    version: str
    components: Mapping[str, str]
    lane: LaneAddress | None = None
    """Where the embedded runtime takes messages without gRPC."""

    @property
    def is_embedded(self) -> bool:
        """Whether it is the embedded runtime, and not daprd."""
        return _EMBEDDED in self.version

    def require(self, name: str, kind: str, *, setting: str) -> None:
        """Raise `PreconditionError` when there is no component `name` of a kind, as in `pubsub` or `state`.

        `setting` is the variable that says which name is wanted.
        """
        where = f"the sidecar at {self.endpoint} (app id {self.app_id!r})"
        found = self.components.get(name)
        if found is None:
            fitting = sorted(each for each, type_ in self.components.items() if type_.startswith(f"{kind}."))
            there = f"it has {', '.join(fitting)}" if fitting else f"nor any other of type {kind}"
            raise PreconditionError(
                f"{where} has no component {name!r}: {there}",
                hint=f"put one into its resources path, within its scopes, or correct {setting}",
            )
        if not found.startswith(f"{kind}."):
            raise PreconditionError(
                f"component {name!r} of {where} is of type {found}, not {kind}.*",
                hint=f"correct it in its resources path, or {setting}",
            )


def read_info(answer: metadata_pb2.GetMetadataResponse, endpoint: str) -> SidecarInfo:
    """Return what GetMetadata answered."""
    return SidecarInfo(
        endpoint=endpoint,
        app_id=answer.id,
        version=answer.runtime_version,
        components={component.name: component.type for component in answer.registered_components},
        lane=parse_lane(answer.extended_metadata.get(LANE_METADATA, "")),
    )
