"""The parts of an open instance that are made of what the settings say, before bootstrap joins them."""
