"""Frappe's wire: remote methods under the names its clients call."""
