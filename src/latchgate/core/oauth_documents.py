"""The document types of OAuth 2: clients, access tokens and consents, under Frappe's field names where it has them.

No secret and no token is a field of any of them.
"""

from typing import Annotated

from pydantic import Field

from latchgate.core.clients import AuthMethod, SigningAlgorithm
from latchgate.core.document_fields import Check, Record, Text, Texts
from latchgate.core.document_types import Access, Kind, Writer

__all__ = ["OAuthBearerToken", "OAuthClient", "OAuthConsent"]

_LONG_MAX = 20_000


class OAuthClient(Record):
    """An application that gets tokens. Its secret is answered once, when it is made."""

    client_id: Annotated[str, Access(Kind.DATA, "App Client ID")] = Field(
        "", description="What the application calls itself by, also the name"
    )
    app_name: Annotated[Text, Access(Kind.DATA, "App Name", write=Writer.ANYONE, required=True)] = Field(
        "", description="What users are told when they are asked"
    )
    user: Annotated[Text | None, Access(Kind.LINK, "User", write=Writer.MANAGER, link="User")] = Field(
        None, description="Whom it runs as by client credentials"
    )
    scopes: Annotated[str, Access(Kind.LONG, "Scopes", write=Writer.ANYONE, compared=False)] = Field(
        "",
        max_length=_LONG_MAX,
        description="All that it may ask for, by spaces; a space within a scope is written %20",
    )
    redirect_uris: Annotated[str, Access(Kind.LONG, "Redirect URIs", write=Writer.ANYONE, compared=False)] = Field(
        "", max_length=_LONG_MAX, description="Where users are sent back to, by spaces or lines"
    )
    default_redirect_uri: Annotated[str, Access(Kind.DATA, "Default Redirect URI", compared=False)] = Field(
        "", description="The first of them"
    )
    post_logout_redirect_uris: Annotated[
        str, Access(Kind.LONG, "Post-Logout Redirect URIs", write=Writer.ANYONE, compared=False)
    ] = Field("", max_length=_LONG_MAX, description="Where users are sent who signed out, by spaces or lines")
    grant_types: Annotated[Texts, Access(Kind.LIST, "Grant Types", write=Writer.ANYONE, compared=False)] = Field(
        ["authorization_code", "refresh_token"], description="What it may exchange for tokens"
    )
    token_endpoint_auth_method: Annotated[
        AuthMethod, Access(Kind.SELECT, "Token Endpoint Auth Method", write=Writer.ANYONE)
    ] = Field(AuthMethod.BASIC, description="How it proves that it is itself; none for one that can keep no secret")
    jwks: Annotated[str, Access(Kind.LONG, "Public Keys", write=Writer.ANYONE, compared=False)] = Field(
        "", max_length=_LONG_MAX, description="Its public keys as a JSON Web Key Set, for `private_key_jwt`"
    )
    allowed_roles: Annotated[Texts, Access(Kind.LIST, "Allowed Roles", write=Writer.ANYONE, compared=False)] = Field(
        [], description="One of these a user must have to sign in through it; none means any user"
    )
    skip_authorization: Annotated[Check, Access(Kind.CHECK, "Skip Authorization", write=Writer.MANAGER)] = Field(
        0, description="1: users are not asked"
    )
    require_pkce: Annotated[Check, Access(Kind.CHECK, "Require PKCE", write=Writer.ANYONE)] = Field(
        1, description="1: an authorization request without a code challenge is refused"
    )
    id_token_signed_response_alg: Annotated[
        SigningAlgorithm, Access(Kind.SELECT, "ID Token Algorithm", write=Writer.ANYONE)
    ] = Field(SigningAlgorithm.RS256, description="What its ID tokens are signed with")
    client_uri: Annotated[Text, Access(Kind.DATA, "Client URI", write=Writer.ANYONE)] = Field(
        "", description="The application's page"
    )
    resources: Annotated[str, Access(Kind.LONG, "Resources", write=Writer.MANAGER, compared=False)] = Field(
        "",
        max_length=_LONG_MAX,
        description="The protected resources that it is itself, by spaces or lines: it may ask about tokens for these",
    )
    registered: Annotated[int, Access(Kind.CHECK, "Registered Itself")] = Field(
        0, description="1: it was made by dynamic registration"
    )
    former_secret_until: Annotated[str | None, Access(Kind.DATETIME, "Former Secret Works Until")] = Field(
        None, description="Until when the secret before the last rotation works beside the present one"
    )
    revoked: Annotated[str | None, Access(Kind.DATETIME, "Revoked")] = Field(
        None, description="When the client was ended for good, UTC, and all its tokens with it"
    )
    status: Annotated[str, Access(Kind.DATA, "Status", compared=False, volatile=True)] = Field(
        "active", description="active or revoked"
    )


class OAuthBearerToken(Record):
    """An access token that was issued or imported. The token itself is not kept, and never answered."""

    user: Annotated[str, Access(Kind.LINK, "User", link="User")] = Field("", description="Whom its requests run as")
    client: Annotated[str, Access(Kind.DATA, "Client")] = Field(
        "", description="To which client it was issued, here or where it was imported from"
    )
    scopes: Annotated[str, Access(Kind.LONG, "Scopes", compared=False)] = Field(
        "", description="What it is limited to, by spaces; a space within a scope is written %20"
    )
    audience: Annotated[Texts, Access(Kind.LIST, "Audience", compared=False)] = Field(
        [], description="The protected resources that it is for; none means this service"
    )
    issued: Annotated[str, Access(Kind.DATETIME, "Issued")] = Field("", description="Since when there is it, UTC")
    expires: Annotated[str, Access(Kind.DATETIME, "Expires")] = Field(
        "", description="From when on the token opens nothing, UTC"
    )
    revoked: Annotated[str | None, Access(Kind.DATETIME, "Revoked")] = Field(
        None, description="When it, the approval it came of, or its client was ended, whichever was first, UTC"
    )
    status: Annotated[str, Access(Kind.DATA, "Status", compared=False, volatile=True)] = Field(
        "active", description="active, expired, revoked or user disabled"
    )


class OAuthConsent(Record):
    """What a user allowed an application, and is not asked again."""

    user: Annotated[str, Access(Kind.LINK, "User", link="User")] = Field("", description="Who allowed it")
    client: Annotated[str, Access(Kind.LINK, "Client", link="OAuth Client")] = Field("", description="To which client")
    app_name: Annotated[str, Access(Kind.DATA, "App Name")] = Field("", description="What the application is called")
    scopes: Annotated[str, Access(Kind.LONG, "Scopes", compared=False)] = Field(
        "", description="What was allowed, by spaces; a space within a scope is written %20"
    )
    audience: Annotated[Texts, Access(Kind.LIST, "Audience", compared=False)] = Field(
        [], description="The protected resources that it was allowed for; none means this service"
    )
