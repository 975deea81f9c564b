"""The activity log's old addresses are cut to their network; its rows else stay as they are."""

from dataclasses import replace

from latchgate.core.system_settings import LogPolicy
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.log_upkeep import ROWS_AT_ONCE, LogUpkeep
from latchgate.services.standing_settings import StandingSettings
from support.house import USER, House

_DAY_US = 86_400_000_000


def _shorten(upkeep: LogUpkeep, before_us: int) -> list[int]:
    steps = []
    while looked_at := upkeep.shorten_activity(before_us):
        steps.append(looked_at)
    return steps


def _act(house: House, address: str, days: int = 8) -> None:
    """Let something be done from an address, and days go by."""
    actor = replace(COMMAND_LINE, ip_address=address)
    house.sources.create(actor, f"Source {house.clock.now()}{len(house.activity())}")
    house.clock.advance(days * 86_400)


def test_old_addresses_are_cut_and_young_ones_are_not(house: House) -> None:
    """Both families; what the command line did has no address."""
    for address in ("192.0.2.77", "2001:db8:1:2::3", ""):
        _act(house, address)
    _act(house, "198.51.100.1", days=1)
    before = house.activity()

    upkeep = LogUpkeep(house.store, StandingSettings.undecided())
    _shorten(upkeep, house.clock.now() * 1_000_000 - 7 * _DAY_US)
    after = house.activity()
    _shorten(LogUpkeep(house.store, StandingSettings.undecided()), house.clock.now() * 1_000_000 - 7 * _DAY_US)

    assert [row.ip_address for row in after[-4:]] == ["192.0.2.0/24", "2001:db8:1::/48", "", "198.51.100.1"]
    assert [replace(row, ip_address="") for row in after] == [replace(row, ip_address="") for row in before]
    assert house.activity() == after


def test_rows_that_grow_old_later_are_cut_then(house: House) -> None:
    """The walk goes on from where it stopped."""
    upkeep = LogUpkeep(house.store, StandingSettings.undecided())
    for number in range(3):
        _act(house, f"192.0.{number}.77", days=2)
        _shorten(upkeep, house.clock.now() * 1_000_000 - 3 * _DAY_US)

    shown = [row.ip_address for row in house.activity()[-3:]]

    assert shown == ["192.0.0.0/24", "192.0.1.0/24", "192.0.2.77"]


def test_many_rows_take_many_small_steps(house: House) -> None:
    """Whoever changes an account waits for one of them at most."""
    house.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) INSERT INTO activity_log "
        "(time, user, operation, subject, detail, ip_address) SELECT 5, 'a', 'b', 'c', '', '192.0.2.7' FROM n",
        {"count": ROWS_AT_ONCE + 7},
    )

    steps = _shorten(LogUpkeep(house.store, StandingSettings.undecided()), 10)

    assert steps == [ROWS_AT_ONCE, 7]
    assert {row.ip_address for row in house.activity() if row.time == 5} == {"192.0.2.0/24"}


def test_the_policy_is_what_is_decided_now(house: House) -> None:
    """Unless the operator said."""
    house.add_user(USER)
    upkeep = LogUpkeep(house.store, StandingSettings.undecided())
    before = upkeep.find_policy()

    house.system_settings.change(COMMAND_LINE, log_retention_days=5, log_address_days=2)

    assert (before, upkeep.find_policy()) == (LogPolicy(90, None), LogPolicy(5, 2))
    assert LogUpkeep(house.store, StandingSettings.undecided(log_address_days=9)).find_policy() == LogPolicy(5, 9)
