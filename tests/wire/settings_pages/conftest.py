"""An instance with a user of every kind, in which nothing is decided."""

from collections.abc import Iterator

import pytest

from latchgate.core.permissions import Action, Grant
from latchgate.core.system_settings import SETTING_NAMES
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Service, opened_service
from support.settings_pages import API, MANAGER, READER, SETTINGS, WEB


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user of every kind, one of whom may read the settings."""
    with opened_service(tmp_path_factory.mktemp("settings") / "home") as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.latchgate.roles.create(COMMAND_LINE, "Auditor")
        service.make_user(READER, roles=frozenset({"Auditor"}))
        every = frozenset({Action.READ, Action.WRITE})
        service.latchgate.permissions.grant(COMMAND_LINE, Grant("Auditor", SETTINGS, if_owner=False, actions=every))
        yield service


@pytest.fixture
def peopled(shared: Service) -> Iterator[Service]:
    """The same with nothing decided, before and after."""
    yield shared
    for name in SETTING_NAMES:
        shared.latchgate.system_settings.reset(COMMAND_LINE, name)
