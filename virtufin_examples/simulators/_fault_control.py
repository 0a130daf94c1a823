"""The control endpoint of a fault plan, the same for every simulator."""

from __future__ import annotations

from collections.abc import Callable

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.simulators._control import Request, Route
from virtufin_examples.simulators._faults import Faults, parse_plan, random_plan


def fault_routes(faults: Faults, now: Callable[[], float]) -> tuple[Route, Route]:
    """`POST /control/faults` takes a plan that begins now, or with `?seed=7` makes one; `GET` tells what has
    happened by kind.
    """

    def begin(request: Request) -> object:
        if "seed" in request.query:
            seed = _seed(request.query["seed"])
            faults.begin(random_plan(seed), now())
            return {"seed": seed}
        plan = parse_plan(request.body)
        faults.begin(plan, now())
        return {"faults": len(plan)}

    def happened(request: Request) -> object:  # noqa: ARG001 - one signature for all routes
        return {"happened": {kind.value: count for kind, count in faults.happened.items()}}

    return Route("POST", "/control/faults", begin), Route("GET", "/control/faults", happened)


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInputError(f"seed: {text!r}", hint="a whole number, such as ?seed=7") from None
