"""For programs that call: authentication for requests and httpx, which hold the secrets and nothing of the rest."""
