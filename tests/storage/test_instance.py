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
