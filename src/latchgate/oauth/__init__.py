"""The standards: OAuth 2 and OpenID Connect, on Authlib's protocol core and joserfc, without I/O of their own."""
