"""The request log: one row for every request that presented a credential."""
