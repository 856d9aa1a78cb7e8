"""What a check found is kept for minutes, for the upload of the same picture, and tells nobody."""

from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest

from libs.common.database.database import Database
from libs.common.database.tables import face_checks
from libs.common.face_check import ANONYMOUS, FACE_CHECK_PATH, WILL_RETURN, FaceVerdict
from libs.common.resources import Resources
from libs.common.web.internal import INTERNAL_TOKEN_HEADER, internal_token
from services.recognition.app import create_app
from services.recognition.engine.face_engine import to_bytes
from services.recognition.indexes.open import open_worker_pools
from services.recognition.selfies.kept_checks import Found, KeptChecks, Seal
from services.recognition.settings import RecognitionSettings
from tests.support.engine_calls import read_calls
from tests.support.own_role import with_own_role
from tests.support.rows import Rows
from tests.support.scripted_engine import ScriptedEngine, embedding_of
from tests.support.tiny_jpeg import tiny_jpeg

SELFIE = tiny_jpeg("people 1\nthe selfie")
EMBEDDING = to_bytes(embedding_of(1))


def seal_of(content: bytes) -> Seal:
    seal = Seal()
    seal.update(content)
    return seal


def checks_of(
    database: Database, *, made_by: str = "an engine 1", seconds: float = 60
) -> KeptChecks:
    return KeptChecks(database, made_by=made_by, seconds=seconds)


async def test_what_is_kept_is_found_again_and_taken_once(rows: Rows) -> None:
    checks = checks_of(rows.database)
    assert await checks.find(seal_of(SELFIE)) is None
    await checks.keep(seal_of(SELFIE), Found(EMBEDDING))
    assert await checks_of(rows.database).find(seal_of(SELFIE)) == Found(EMBEDDING)
    assert await checks_of(rows.database).take(seal_of(SELFIE)) == Found(EMBEDDING)
    assert await checks.take(seal_of(SELFIE)) is None
    assert await checks.find(seal_of(SELFIE)) is None


async def test_who_reads_the_table_learns_of_no_face(rows: Rows) -> None:
    checks = checks_of(rows.database)
    people = [embedding_of(1), embedding_of(1) + np.float32(1e-3), embedding_of(2)]
    for number, person in enumerate(people):
        picture = seal_of(b"picture %d" % number)
        await checks.keep(picture, Found(to_bytes(person)))
    kept = await rows.scalar("SELECT array_agg(sealed) FROM face_checks")
    assert {len(one) for one in kept} == {len(EMBEDDING)}
    sealed = [np.frombuffer(one, np.uint8) for one in kept]
    # Two of them are one person's: what is stored of them is as unlike as of strangers.
    alike = [
        float(np.mean(one == other))
        for place, one in enumerate(sealed)
        for other in sealed[place + 1 :]
    ]
    assert max(alike) < 0.05


async def test_a_result_of_another_engine_or_rule_is_not_used(rows: Rows) -> None:
    await checks_of(rows.database).keep(seal_of(SELFIE), Found(EMBEDDING))
    newer = checks_of(rows.database, made_by="an engine 2")
    assert await newer.find(seal_of(SELFIE)) is None
    await newer.keep(seal_of(SELFIE), Found(to_bytes(embedding_of(2))))
    assert await checks_of(rows.database).take(seal_of(SELFIE)) is None


async def test_nothing_is_used_or_kept_for_longer_than_is_set(rows: Rows) -> None:
    checks = checks_of(rows.database)
    for content in (b"one", b"two"):
        await checks.keep(seal_of(content), Found(EMBEDDING))
    assert await checks.sweep() == 0
    await rows.execute(
        face_checks.update().values(made_at=face_checks.c.made_at - timedelta(minutes=1))
    )
    assert await checks.find(seal_of(b"one")) is None
    assert await checks.take(seal_of(b"one")) is None
    # The other one nobody has asked for.
    assert await checks.sweep() == 1
    assert await rows.scalar("SELECT count(*) FROM face_checks") == 0


async def test_where_nothing_is_to_be_kept_what_is_there_goes(rows: Rows) -> None:
    await checks_of(rows.database).keep(seal_of(SELFIE), Found(EMBEDDING))
    off = checks_of(rows.database, seconds=0)
    assert await off.find(seal_of(SELFIE)) is None
    await off.keep(seal_of(b"another"), Found(EMBEDDING))
    assert await off.sweep() == 1


async def test_of_too_many_the_oldest_go(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.recognition.selfies.kept_checks.MAX_KEPT", 2)
    checks = checks_of(rows.database)
    for number in range(4):
        await checks.keep(seal_of(b"%d" % number), Found(None))
    assert await checks.sweep() == 2
    found = [await checks.find(seal_of(b"%d" % number)) for number in range(4)]
    assert found == [None, None, Found(None), Found(None)]


async def test_without_the_database_a_picture_is_just_analysed_again(rows: Rows) -> None:
    async with rows.database.single_statements() as connection:
        await connection.exec_driver_sql("ALTER TABLE face_checks RENAME TO moved")
    checks = checks_of(rows.database)
    await checks.keep(seal_of(SELFIE), Found(EMBEDDING))
    assert await checks.take(seal_of(SELFIE)) is None


async def test_of_two_replicas_the_second_uses_what_the_first_has_found(
    settings: RecognitionSettings, resources: Resources, rows: Rows, tmp_path: Path
) -> None:
    log = tmp_path / "calls.log"
    headers = {INTERNAL_TOKEN_HEADER: internal_token(settings.signing_keys)}
    async with AsyncExitStack() as running:
        pools = await running.enter_async_context(
            open_worker_pools(settings, partial(ScriptedEngine, log=log))
        )
        its = await running.enter_async_context(with_own_role(resources, settings, "recognition"))
        replicas = []
        for _ in range(2):
            app = create_app(settings, its, pools=pools)
            await running.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app)
            replicas.append(
                await running.enter_async_context(
                    httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)
                )
            )

        async def check(replica: int, content: bytes, *asked: str) -> FaceVerdict:
            answer = await replicas[replica].post(
                FACE_CHECK_PATH, params=dict.fromkeys(asked, "true"), content=content
            )
            assert answer.status_code == 200, answer.text
            return FaceVerdict.model_validate_json(answer.content)

        judged = await check(0, SELFIE, ANONYMOUS, WILL_RETURN)
        again = await check(1, SELFIE, ANONYMOUS, WILL_RETURN)
        sent = await check(1, SELFIE)
        assert judged == again == sent
        assert sent.embedding == EMBEDDING
        assert len(read_calls(log)) == 1
        # It was taken; and of what is refused nothing is kept.
        nobody = tiny_jpeg("people")
        assert not (await check(0, nobody, ANONYMOUS, WILL_RETURN)).valid
        assert await rows.scalar("SELECT count(*) FROM face_checks") == 0
        # What was sent as a selfie at once goes to its row alone.
        await check(0, tiny_jpeg("people 2"))
        assert await rows.scalar("SELECT count(*) FROM face_checks") == 0
