"""An instance with users of every kind, shared by the tests of a file; what a test changes, it makes for itself."""

from collections.abc import Iterator

import pytest

from latchgate.core.users import SYSTEM_MANAGER, UserType
from support.asgi import Pair, Service, opened_service

MANAGER = "manager@example.com"
API = "api@example.com"
WEB = "web@example.com"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a System Manager, a System User without roles and a Website User."""
    with opened_service(tmp_path_factory.mktemp("service") / "home") as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API, first_name="Api", last_name="User")
        service.make_user(WEB, user_type=UserType.WEBSITE)
        yield service


@pytest.fixture(scope="module")
def manager_key(service: Service) -> Pair:
    """A key of the System Manager without any limit."""
    return service.make_key(MANAGER)


@pytest.fixture(scope="module")
def api_key(service: Service) -> Pair:
    """A key of the System User without any limit."""
    return service.make_key(API)


@pytest.fixture(scope="module", params=["token", "TOKEN", "Basic", "bAsIC", "Bearer", "bearer"])
def credential(request: pytest.FixtureRequest, service: Service, api_key: Pair) -> str:
    """An Authorization value of the System User, by each scheme in several cases."""
    match request.param.lower():
        case "token":
            value = api_key.token
        case "basic":
            value = api_key.basic
        case _:
            value = service.make_bearer(API, f"made-elsewhere-for-{request.param}-0001")
    return f"{request.param} {value.partition(' ')[2]}"
