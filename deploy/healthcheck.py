"""The image's health check: status 0 when the service of this container is ready. Standard library only."""

from __future__ import annotations

import os
import sys
import urllib.request

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_TIMEOUT_SECONDS = 3.0


def main() -> int:
    """Ask `/health/ready` on the port that `HEALTH_PORT` names; say why when it is not ready."""
    url = f"http://127.0.0.1:{os.environ.get('HEALTH_PORT', '5001')}/health/ready"
    try:
        with _DIRECT.open(url, timeout=_TIMEOUT_SECONDS):  # an HTTP error status is an OSError, too
            return 0
    except OSError as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
