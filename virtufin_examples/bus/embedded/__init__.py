"""The embedded runtime: a Dapr sidecar's API for one machine (`docs/embedded-runtime.md`)."""

from virtufin_examples.bus.embedded._runtime import EmbeddedRuntime
from virtufin_examples.bus.embedded._secrets import secrets_from_environment

__all__ = ["EmbeddedRuntime", "secrets_from_environment"]
