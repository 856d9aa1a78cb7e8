"""Photos have the instant at which they were taken, which the database itself reckons.

So it is right whoever adds a photo or moves its clock, also a service of the release before, which
knows of no time zones. No event has one yet: there is nothing to reckon of photos that are there.
"""

from alembic import op

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None

#: Of an event without a time zone there is none; what the file says goes before what the zone says.
INSTANT_TAKEN = """
CREATE FUNCTION instant_taken(taken_at TIMESTAMP, offset_minutes SMALLINT, time_zone TEXT)
RETURNS TIMESTAMPTZ LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN time_zone IS NOT NULL THEN coalesce(
        timezone('UTC', taken_at - offset_minutes * interval '1 minute'),
        timezone(time_zone, taken_at)) END
$$
"""
#: Whoever puts the event in another time zone waits for the photo, or is waited for.
RECKON = """
CREATE FUNCTION reckon_instant() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE
    zone TEXT;
BEGIN
    IF NEW.taken_at IS NOT NULL THEN
        SELECT e.time_zone INTO zone FROM events e WHERE e.id = NEW.event_id FOR SHARE;
    END IF;
    NEW.taken_instant := instant_taken(NEW.taken_at, NEW.taken_at_offset, zone);
    RETURN NEW;
END
$$
"""
WHEN_CLOCKS_MOVE = """
CREATE TRIGGER reckon_instant BEFORE INSERT OR UPDATE OF event_id, taken_at, taken_at_offset
ON photos FOR EACH ROW EXECUTE FUNCTION reckon_instant()
"""


def upgrade() -> None:
    op.execute("ALTER TABLE photos ADD COLUMN taken_instant TIMESTAMPTZ")
    for statement in (INSTANT_TAKEN, RECKON, WHEN_CLOCKS_MOVE):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER reckon_instant ON photos")
    op.execute("DROP FUNCTION reckon_instant()")
    op.execute("DROP FUNCTION instant_taken(TIMESTAMP, SMALLINT, TEXT)")
    op.execute("ALTER TABLE photos DROP COLUMN taken_instant")
