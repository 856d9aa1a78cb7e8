"""Alembic's entry: runs on the connection that `libs.common.database.migrate` hands over."""

from alembic import context

from libs.common.database.tables import metadata

connection = context.config.attributes["connection"]
# Each is a transaction of its own: locks of two would be held in an order that others cross.
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
