"""What the settings say, in the words of the services that go by it."""

from threading import Semaphore

from latchgate.oauth.metadata import ServerAddresses
from latchgate.services.authentication import Rules
from latchgate.services.standing_settings import StandingSettings
from latchgate.services.throttles import ThrottleRules
from latchgate.settings import Settings

__all__ = ["rules_of", "standing_of", "throttle_rules_of", "turns_of"]

_WAITING = 8


def rules_of(settings: Settings) -> Rules:
    """Tell by what credentials are judged."""
    issuer = settings.public_url
    return Rules(
        zone=settings.zone,
        lifetime=standing_of(settings).session_lifetime,
        issuer=issuer,
        client_audiences=frozenset({issuer, ServerAddresses(issuer).token}),
    )


def standing_of(settings: Settings) -> StandingSettings:
    """Tell what the operator set of what System Managers may decide otherwise."""
    return StandingSettings.of({name: getattr(settings, name) for name in settings.model_fields_set})


def throttle_rules_of(settings: Settings) -> ThrottleRules:
    """Tell how many failures are answered as such."""
    return ThrottleRules(
        sign_ins_per_user=settings.sign_in_failures_per_user,
        sign_ins_per_address=settings.sign_in_failures_per_address,
        sign_in_window_seconds=settings.sign_in_window_seconds,
        credentials_per_minute=settings.credential_failures_per_minute,
    )


def turns_of(settings: Settings) -> tuple[Semaphore, Semaphore]:
    """Tell how many passwords may be hashed at once, and how many may wait for that besides."""
    at_once = settings.password_hashes_at_once
    return Semaphore(at_once), Semaphore(at_once + _WAITING)
