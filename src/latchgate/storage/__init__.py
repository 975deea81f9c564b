"""The database: the ports of the services on SQLite and PostgreSQL, through SQLAlchemy Core."""
