"""Who left an event, or was taken out of it, must not be in it again with an older backup."""

from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

#: Who goes with their event or account is noted with that. A guest may join again, and be noted
#: again: the moment of joining tells the one membership from the other.
NOTE = """
CREATE FUNCTION note_departures() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO erasures (kind, key)
    SELECT 'memberships', md5(user_id || ' ' || event_id || ' ' || extract(epoch FROM joined_at))
    FROM gone
    WHERE EXISTS (SELECT FROM users u WHERE u.id = gone.user_id)
      AND EXISTS (SELECT FROM events e WHERE e.id = gone.event_id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$
"""
WHEN_MEMBERSHIPS_GO = """
CREATE TRIGGER note_erasures AFTER DELETE ON memberships REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION note_departures()
"""


def upgrade() -> None:
    op.execute(NOTE)
    op.execute(WHEN_MEMBERSHIPS_GO)


def downgrade() -> None:
    op.execute("DROP TRIGGER note_erasures ON memberships")
    op.execute("DROP FUNCTION note_departures()")
