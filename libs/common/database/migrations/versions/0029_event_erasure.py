"""Ended events are erased after a grace period, and that is announced before."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

NOTICES = """
CREATE TABLE event_notices (
    event_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    moment TIMESTAMP WITH TIME ZONE NOT NULL,
    noticed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT event_notices_pkey PRIMARY KEY (event_id, user_id, kind),
    CONSTRAINT event_notices_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE,
    CONSTRAINT event_notices_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
)
"""

#: A restore of an older backup must not bring an erased event's photos back. Written as the event's
#: own deletion is: by the moment of its making, as ids may be used again after a restore.
NOTE_ERASURE = """
CREATE FUNCTION note_event_erasure() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO erasures (kind, key)
    VALUES ('erased_events', md5(NEW.id || ' ' || extract(epoch FROM NEW.created_at)))
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$
"""
WHEN_ERASED = """
CREATE TRIGGER note_event_erasure AFTER UPDATE OF erasure_began_at ON events
FOR EACH ROW WHEN (OLD.erasure_began_at IS NULL AND NEW.erasure_began_at IS NOT NULL)
EXECUTE FUNCTION note_event_erasure()
"""


def upgrade() -> None:
    op.execute(
        "ALTER TABLE events ADD COLUMN kept_until TIMESTAMP WITH TIME ZONE,"
        " ADD COLUMN erasure_began_at TIMESTAMP WITH TIME ZONE,"
        " ADD COLUMN erased_at TIMESTAMP WITH TIME ZONE"
    )
    op.execute(
        "CREATE INDEX events_erasing_idx ON events (id)"
        " WHERE erasure_began_at IS NOT NULL AND erased_at IS NULL"
    )
    op.execute(NOTICES)
    op.execute("CREATE INDEX event_notices_user_id_idx ON event_notices (user_id)")
    op.execute(NOTE_ERASURE)
    op.execute(WHEN_ERASED)
    # Nobody was told that these would be erased: they are kept for as long as a new one would be.
    op.execute(
        "UPDATE events SET kept_until = now() + interval '30 days' WHERE expires_at <= now()"
    )
