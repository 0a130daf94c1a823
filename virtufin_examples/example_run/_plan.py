"""What a run will use: which gateway, which upstream, with which credentials."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from virtufin_examples.client import ClientSettings, Credentials, FeedSettings
from virtufin_examples.client._embedded import SIMULATOR_SECRET_NAME, EmbeddedSimulator
from virtufin_examples.client._endpoint import parse_endpoint
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.example_run._options import Options, Platform, Upstream


@dataclass(frozen=True, slots=True)
class Plan:
    """`platform` is what is started for the run where `gateway` is empty; `simulated`: so is a simulator."""

    settings: FeedSettings
    gateway: str
    simulated: bool
    platform: Platform = Platform.EMBEDDED

    @property
    def own_platform(self) -> bool:
        """Whether the run starts a platform of its own."""
        return not self.gateway


def make_plan(options: Options, settings: FeedSettings, client: ClientSettings) -> Plan:
    """Decide; `InvalidInputError` for what cannot be done, before anything starts."""
    venue = settings.venue
    gateway = options.gateway or client.api_url
    if gateway:
        parse_endpoint(gateway)  # a wrong address is wrong usage, so refused before anything starts
    if options.keep and not gateway:
        raise InvalidInputError(
            "--keep needs a platform that outlives the script",
            hint="start one with `virtufin up` and set VIRTUFIN_API_URL=127.0.0.1:5002",
        )
    if options.keep and options.upstream is Upstream.SIMULATOR:
        raise InvalidInputError(
            "--keep: the simulator ends with the script, and the feed with it",
            hint=f"run `virtufin simulate {venue.name}` and name its URL and connector in the settings",
        )
    has_keys = client.has_keys(venue.name)
    if options.upstream is Upstream.LIVE and venue.needs_keys and not gateway and not has_keys:
        raise InvalidInputError(
            "--upstream live: ALPACA_API_KEY and ALPACA_API_SECRET are not set",
            hint="set both in the environment or .env, or use --upstream simulator",
        )
    if options.upstream is Upstream.AUTO:
        simulated = not gateway and not has_keys
    else:
        simulated = options.upstream is Upstream.SIMULATOR
    if options.faults is not None and not simulated:
        raise InvalidInputError(
            f"--faults {options.faults}: only a simulator has them", hint="add --upstream simulator"
        )
    return Plan(settings, gateway, simulated, options.platform)


def at_simulator(settings: FeedSettings, simulator: EmbeddedSimulator) -> FeedSettings:
    """Return the settings with the simulator in place of the venue: same path, same protocol."""
    there, here = urlsplit(simulator.url), urlsplit(settings.url)
    url = urlunsplit((there.scheme, there.netloc, here.path, here.query, ""))
    return dataclasses.replace(settings, url=url, connector=settings.venue.name)


def credentials_for(plan: Plan, simulator: EmbeddedSimulator | None) -> Credentials:
    """Return references to secrets of the platform; on a foreign gateway the simulator's public keys."""
    if simulator is None or not plan.settings.venue.needs_keys:
        return Credentials.reference(plan.settings.venue.name)
    if plan.own_platform:
        return Credentials.reference(SIMULATOR_SECRET_NAME)
    return Credentials(simulator.key, simulator.secret, secrets=False)
