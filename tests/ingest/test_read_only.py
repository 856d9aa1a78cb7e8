"""A database that takes no changes: uploads are to be sent again, and leave nothing behind."""

import pytest
from sqlalchemy import text

from libs.common.web.auth import Role
from tests.ingest.conftest import Gallery, Ingest
from tests.support.image_files import image_file
from tests.support.polling import eventually
from tests.support.postgres import Postgres
from tests.support.read_only import read_only

#: What a deferred check finds, PostgreSQL says as the answer to the commit.
REFUSE = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$
"""
AT_THE_COMMIT = """
    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON {table}
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
"""


async def send_selfie(ingest: Ingest, user_id: int) -> tuple[int, bool]:
    """The status, and whether the answer says when to come back."""
    answer = await ingest.client.post(
        "/api/upload-selfie",
        headers=ingest.headers(user_id, Role.PARTICIPANT),
        files={"file": ("me.jpg", image_file(seed=9))},
    )
    return answer.status_code, "Retry-After" in answer.headers


async def test_uploads_to_a_read_only_database_are_to_be_sent_again_and_leave_no_object(
    ingest: Ingest, gallery: Gallery, postgres_faults: Postgres
) -> None:
    user_id = await ingest.world.user()

    async def readiness() -> tuple[int, dict[str, str]]:
        answer = await ingest.client.get("/readyz")
        return answer.status_code, answer.json()["checks"]

    async with read_only(postgres_faults):
        answer = await gallery.upload(("a.jpg", image_file(seed=1)), ("b.jpg", image_file(seed=2)))
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        assert await send_selfie(ingest, user_id) == (503, True)
        assert await ingest.objects() == {}

        async def is_missed() -> bool:
            status, checks = await readiness()
            return status == 503 and "takes no changes" in checks["primary"]

        await eventually(is_missed)
        assert (await readiness())[1]["database"] == "ok"

    async def is_ready() -> bool:
        return (await readiness())[0] == 200

    await eventually(is_ready)
    assert (await gallery.upload(("a.jpg", image_file(seed=1)))).status_code == 200
    assert (await send_selfie(ingest, user_id))[0] == 200
    assert len(await ingest.objects()) == 2


@pytest.mark.parametrize("table", ["photos", "selfies"])
async def test_a_commit_that_is_refused_leaves_no_object(
    ingest: Ingest, gallery: Gallery, table: str
) -> None:
    user_id = await ingest.world.user()
    async with ingest.resources.database.unit_of_work() as unit:
        await unit.connection.execute(text(REFUSE))
        await unit.connection.execute(text(AT_THE_COMMIT.format(table=table)))

    if table == "photos":
        answer = await gallery.upload(("a.jpg", image_file(seed=1)))
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    else:
        assert await send_selfie(ingest, user_id) == (503, True)
    assert await ingest.objects() == {}
    assert await ingest.photos() == []
    assert await ingest.messages() == []
