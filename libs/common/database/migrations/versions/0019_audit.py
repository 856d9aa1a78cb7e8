"""Who did what to whom: a table that takes rows, and gives none away before its time."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    action TEXT NOT NULL,
    actor_id BIGINT,
    account_id BIGINT,
    event_id BIGINT,
    object_id BIGINT,
    address TEXT,
    request_id TEXT,
    details JSONB DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (id)
)
"""

#: Whatever the retention is set to: nobody removes their own traces of the last three months.
KEEP = """
CREATE FUNCTION keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at < now() - interval '90 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'rows of audit are kept as they are' USING ERRCODE = 'restrict_violation';
END
$$
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute("CREATE INDEX audit_at_idx ON audit (at)")
    op.execute("CREATE INDEX audit_action_id_idx ON audit (action, id)")
    for column in ("actor_id", "account_id", "event_id"):
        op.execute(
            f"CREATE INDEX audit_{column}_idx ON audit ({column}, id) WHERE {column} IS NOT NULL"
        )
    op.execute(KEEP)
    op.execute(
        "CREATE TRIGGER keep_audit BEFORE UPDATE OR DELETE ON audit"
        " FOR EACH ROW EXECUTE FUNCTION keep_audit()"
    )
    op.execute(
        "CREATE TRIGGER keep_all_audit BEFORE TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION keep_audit()"
    )
