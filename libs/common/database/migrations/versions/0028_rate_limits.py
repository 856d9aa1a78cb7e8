"""What was done lately by whom, to refuse what is too much."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE UNLOGGED TABLE rate_limits (key TEXT PRIMARY KEY, number BIGINT NOT NULL,"
        " present INTEGER NOT NULL, former INTEGER NOT NULL, is_within BOOLEAN NOT NULL,"
        " expires_at TIMESTAMP WITH TIME ZONE NOT NULL)"
    )
    op.execute("CREATE INDEX rate_limits_expires_at_idx ON rate_limits (expires_at)")
