"""Questions as SQL, for the rooms that keep tables."""
