"""The protocol of OAuth 2 and OpenID Connect: what is asked, signed and answered, without I/O; services use it."""
