"""For programs that call: credentials for requests and httpx, which are loaded only by who uses them.

from latchgate.client import ApiKey
requests.get("https://…", auth=ApiKey("<api_key>", "<api_secret>").for_requests(), timeout=10)
"""

from latchgate.client.credentials import AccessToken, ApiKey, Credential, WrongHost
from latchgate.client.tokens import ClientCredentials, RefreshToken, TokenError

__all__ = ["AccessToken", "ApiKey", "ClientCredentials", "Credential", "RefreshToken", "TokenError", "WrongHost"]
