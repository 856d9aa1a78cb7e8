"""Columns for the forms by which usernames and addresses are compared; the next one fills them.

Apart from it, as whoever adds a column keeps everybody out of the table until they commit.
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE users ADD COLUMN username_key TEXT, ADD COLUMN email_key TEXT")
