from latchgate.services.ports import Store


class TestInstance:
    def test_a_fact_is_what_was_stated_last(self, store: Store) -> None:
        """A fact is unknown until it is stated, and the last statement counts."""
        with store.read() as tx:
            assert tx.instance.find_fact("key_check") is None

        with store.write() as tx:
            tx.instance.set_fact("key_check", "1")
            tx.instance.set_fact("other", "x")
            tx.instance.set_fact("key_check", "2")

        with store.read() as tx:
            assert tx.instance.find_fact("key_check") == "2"
            assert tx.instance.find_fact("other") == "x"

    def test_several_facts_are_found_at_once(self, store: Store) -> None:
        """Those that were stated; nothing is asked for nothing."""
        with store.write() as tx:
            tx.instance.set_fact("one", "1")
            tx.instance.set_fact("two", "2")

        with store.read() as tx:
            assert tx.instance.find_facts(["one", "two", "three"]) == {"one": "1", "two": "2"}
            assert tx.instance.find_facts([]) == {}

    def test_a_fact_is_taken_back(self, store: Store) -> None:
        """Once; then nobody stated it."""
        with store.write() as tx:
            tx.instance.set_fact("one", "1")

        with store.write() as tx:
            assert [tx.instance.forget_fact("one"), tx.instance.forget_fact("one")] == [True, False]

        with store.read() as tx:
            assert tx.instance.find_fact("one") is None
