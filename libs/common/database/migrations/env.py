"""Alembic's entry: runs on the connection that `libs.common.database.migrate` hands over."""

from alembic import context

from libs.common.database.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
