"""What checks of selfies found, for minutes."""

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE UNLOGGED TABLE face_checks (name BYTEA PRIMARY KEY, made_by TEXT NOT NULL,"
        " sealed BYTEA, made_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now())"
    )
    op.execute("CREATE INDEX face_checks_made_at_idx ON face_checks (made_at)")
