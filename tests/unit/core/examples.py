"""Values that the tests of the rules begin with; each test replaces what it is about."""

from latchgate.core.access_tokens import StoredToken
from latchgate.core.api_keys import KeyOwner, Limits, StoredKey, digest_secret
from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm, StoredClient, digest_client_secret
from latchgate.core.credentials import Presented, Scheme
from latchgate.core.principals import Principal
from latchgate.core.sessions import StoredSession
from latchgate.core.tokens import Digest, Pepper, Peppers, Secret, derive_pepper
from latchgate.core.users import StoredUser, UserType

NOW = 1_800_000_000
OLD_PEPPER: Pepper = derive_pepper(1, bytes(32))
NEW_PEPPER: Pepper = derive_pepper(2, bytes(range(32)))
PEPPERS = Peppers([OLD_PEPPER, NEW_PEPPER])
SECRET = Secret("ap1secret000001")
FORMER_SECRET = Secret("ap1secret000000")

PRESENTED = Presented(method="GET", path="/api/method/ping", peer_address="192.0.2.1")

USER = StoredUser(
    id=7,
    name="api@example.com",
    first_name="Api",
    last_name="User",
    user_type=UserType.SYSTEM,
    enabled=True,
    roles=frozenset({"Report Manager"}),
    password_hash=None,
    restrict_ip=(),
    login_after=0,
    login_before=0,
    creation=NOW * 1_000_000,
    modified=NOW * 1_000_000,
)

KEY = StoredKey(
    id=3,
    key_id="ap1key000000001",
    source="User",
    owner=KeyOwner(record=USER.name, record_enabled=True, user=USER),
    label="",
    primary=True,
    limits=Limits(scopes=frozenset({"all"})),
    digest=digest_secret(PEPPERS, (3, "User", "ap1key000000001"), SECRET),
    previous_digest=None,
    previous_until=None,
    creation=NOW * 1_000_000,
    created_by="Administrator",
    revoked_at=None,
)

CLIENT = StoredClient(
    id=9,
    client_id="client0001",
    app_name="Calendar",
    auth_method=AuthMethod.BASIC,
    digest=digest_client_secret(PEPPERS, 9, "client0001", SECRET),
    previous_digest=None,
    previous_until=None,
    jwks="",
    redirect_uris=("https://app.example.com/back",),
    post_logout_redirect_uris=(),
    grant_types=frozenset({GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN}),
    scopes=frozenset({"all", "openid"}),
    resources=(),
    user=None,
    allowed_roles=frozenset(),
    skip_authorization=False,
    require_pkce=True,
    id_token_alg=SigningAlgorithm.ES256,
    client_uri="",
    registered=False,
    creation=NOW * 1_000_000,
    owner="Administrator",
    modified=NOW * 1_000_000,
    modified_by="Administrator",
    revoked_at=None,
)

TOKEN = StoredToken(
    id=11,
    public_id="t-11",
    user=USER,
    client="client0001",
    scopes=frozenset({"all"}),
    digest=Digest(2, bytes(32)),
    issued_at=NOW - 60,
    expires_at=NOW + 3600,
    revoked_at=None,
)

SESSION = StoredSession(
    id=5,
    public_id="s-5",
    user=USER,
    created_at=NOW,
    last_seen_at=NOW,
    ip_address="192.0.2.1",
    user_agent="",
    revoked_at=None,
)

PRINCIPAL = Principal(
    user=USER.name,
    user_id=USER.id,
    user_type=USER.user_type,
    full_name=USER.full_name,
    roles=frozenset({"All", "Guest", "Desk User", "Report Manager"}),
    scheme=Scheme.TOKEN,
    source="User",
    credential=KEY.key_id,
    scopes=frozenset({"all"}),
)
