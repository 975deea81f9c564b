"""The service: requests in, responses out, and one table of routes."""
