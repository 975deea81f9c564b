"""One service with a client of each kind for all rows."""

from collections.abc import Iterator

import pytest

from support.asgi import opened_service
from support.oauth import OAuth
from wire.oauth_requirements.rows import World, build_world


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The service, where clients may register themselves and few wrong guesses are many."""
    home = tmp_path_factory.mktemp("requirements") / "home"
    with opened_service(home, oauth_registration="open", credential_failures_per_minute=20) as service:
        yield build_world(OAuth(service))
