"""Where Alembic enters: runs the revisions on the connection, and in the transaction, that the caller opened."""

from alembic import context

from latchgate.request_log.revisions import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
