"""The Frappe dialect: method calls, envelopes and statuses as Frappe's clients know them."""
