import pytest

from latchgate.errors import NotFound
from latchgate.services.ports import Store
from support.new_rows import new_user


class TestLinks:
    def test_used_once(self, store: Store) -> None:
        """A link opens until it is used, and then never again."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            tx.links.add(b"link", "setup", user_id, 100)

        with store.read() as tx:
            assert tx.links.find([b"other", b"link"], "setup", 99) == user_id
        with store.write() as tx:
            assert tx.links.use([b"other", b"link"], "setup", 99) == user_id
        with store.write() as tx:
            assert tx.links.find([b"link"], "setup", 99) is None
            assert tx.links.use([b"link"], "setup", 99) is None

    def test_use_that_was_rolled_back(self, store: Store) -> None:
        """A link whose use came to nothing still opens."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            tx.links.add(b"link", "setup", user_id, 100)

        def use_and_fail() -> None:
            with store.write() as tx:
                tx.links.use([b"link"], "setup", 50)
                tx.roles.grant(user_id, "no such role")

        with pytest.raises(NotFound):
            use_and_fail()

        with store.read() as tx:
            assert tx.links.find([b"link"], "setup", 50) == user_id

    def test_dead_links(self, store: Store) -> None:
        """A link opens nothing from its end on, nor for another purpose, nor by another digest."""
        with store.write() as tx:
            tx.links.add(b"link", "setup", tx.users.add(new_user(), 1), 100)

        with store.write() as tx:
            for digests, purpose, now in (
                ([b"link"], "setup", 100),
                ([b"link"], "reset", 50),
                ([b"other"], "setup", 50),
                ([], "setup", 50),
            ):
                assert tx.links.find(digests, purpose, now) is None
                assert tx.links.use(digests, purpose, now) is None
            assert tx.links.find([b"link"], "setup", 99) is not None

    def test_a_newer_link_ends_the_older(self, store: Store) -> None:
        """A user has one link of a purpose: the newest; other users' and purposes' links stay."""
        with store.write() as tx:
            ann, bob = tx.users.add(new_user(), 1), tx.users.add(new_user("bob@example.com"), 1)
            tx.links.add(b"old", "setup", ann, 100)
            tx.links.add(b"reset", "reset", ann, 100)
            tx.links.add(b"bob", "setup", bob, 100)
            tx.links.add(b"new", "setup", ann, 100)

        with store.read() as tx:
            assert tx.links.find([b"old"], "setup", 1) is None
            assert tx.links.find([b"new"], "setup", 1) == ann
            assert tx.links.find([b"reset"], "reset", 1) == ann
            assert tx.links.find([b"bob"], "setup", 1) == bob
