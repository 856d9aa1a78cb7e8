from datetime import date

import pytest
from sqlalchemy import insert

from libs.common.database.tables import aws_usage
from libs.common.web.auth import Role
from tests.gallery.world import World

USAGE = "/api/admin/aws-usage"


@pytest.fixture
async def used(world: World) -> World:
    await world.execute(
        insert(aws_usage),
        [
            {"event_id": event, "operation": operation, "day": day, "calls": calls}
            for event, operation, day, calls in (
                (1, "IndexFaces", date(2026, 5, 1), 90),
                (1, "IndexFaces", date(2026, 5, 2), 10),
                (1, "SearchFaces", date(2026, 5, 2), 50),
                (2, "CreateCollection", date(2026, 5, 2), 1),
            )
        ],
    )
    return world


async def test_admins_see_calls_and_cost_per_operation_and_event(used: World) -> None:
    admin = await used.person(Role.ADMIN)
    told = (await used.client.get(USAGE, headers=admin.headers)).json()
    assert told["operations"]["IndexFaces"] == {"calls": 100, "cost": 0.1}
    assert told["operations"]["CreateCollection"] == {"calls": 1, "cost": 0}
    assert (told["calls"], told["cost"]) == (151, 0.15)
    assert [event["event_id"] for event in told["events"]] == [1, 2]


async def test_the_usage_of_one_event_since_a_day(used: World) -> None:
    admin = await used.person(Role.ADMIN)
    path = f"{USAGE}?event_id=1&since=2026-05-02"
    told = (await used.client.get(path, headers=admin.headers)).json()
    assert told["calls"] == 60
    assert [event["event_id"] for event in told["events"]] == [1]


@pytest.mark.parametrize("role", [Role.PARTICIPANT, Role.PHOTOGRAPHER])
async def test_others_do_not_see_it(used: World, role: Role) -> None:
    person = await used.person(role)
    assert (await used.client.get(USAGE, headers=person.headers)).status_code == 403
