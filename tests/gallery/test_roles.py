"""Who may call what: every route, every role."""

import re
from datetime import timedelta

import httpx
import pytest

from libs.common.web.auth import Principal, Role, Tokens
from tests.gallery.world import World
from tests.support.people import SECRET, Person

GUEST, PHOTOGRAPHER, ADMIN = Role.PARTICIPANT, Role.PHOTOGRAPHER, Role.ADMIN
EVERYBODY = {GUEST, PHOTOGRAPHER, ADMIN}

ROUTES: list[tuple[str, str, set[Role]]] = [
    ("GET", "/api/me", EVERYBODY),
    ("GET", "/api/profile", EVERYBODY),
    ("GET", "/api/my-selfie", EVERYBODY),
    ("DELETE", "/api/my-selfie", EVERYBODY),
    ("GET", "/api/my-selfies", EVERYBODY),
    ("DELETE", "/api/my-selfies/1", EVERYBODY),
    ("GET", "/api/rematch-status", EVERYBODY),
    ("GET", "/api/photo/1/faces", EVERYBODY),
    ("GET", "/api/events/1/stream", EVERYBODY),
    ("POST", "/api/join-event", {GUEST}),
    ("GET", "/api/user/events", {GUEST}),
    ("GET", "/api/user/event-expiration", {GUEST}),
    ("GET", "/api/my-photos", {GUEST}),
    ("GET", "/api/all-photos", {GUEST}),
    ("GET", "/api/my-uncertain-photos", {GUEST}),
    ("POST", "/api/my-photos/1/not-me", {GUEST}),
    ("DELETE", "/api/my-photos/1/not-me", {GUEST}),
    ("POST", "/api/my-photos/1/its-me", {GUEST}),
    ("GET", "/api/photographer/events", {PHOTOGRAPHER}),
    ("GET", "/api/photographer/my-event", {PHOTOGRAPHER}),
    ("GET", "/api/photographer/events/1/photos", {PHOTOGRAPHER, ADMIN}),
    ("GET", "/api/photographer/events/1/progress", {PHOTOGRAPHER, ADMIN}),
    ("GET", "/api/photographer/events/1/people", {PHOTOGRAPHER, ADMIN}),
    ("GET", "/api/photographer/events/1/people/1/photos", {PHOTOGRAPHER, ADMIN}),
    ("POST", "/api/photographer/events/1/people/1/guest", {PHOTOGRAPHER, ADMIN}),
    ("POST", "/api/photographer/events/1/rematch", {PHOTOGRAPHER}),
    ("GET", "/api/photographer/events/1/match-threshold", {PHOTOGRAPHER, ADMIN}),
    ("PUT", "/api/photographer/events/1/match-threshold", {PHOTOGRAPHER, ADMIN}),
    ("GET", "/api/photographer/events/1/guests", {PHOTOGRAPHER, ADMIN}),
    ("GET", "/api/photographer/events/1/photos/1/guests", {PHOTOGRAPHER, ADMIN}),
    ("POST", "/api/photographer/events/1/photos/1/guests", {PHOTOGRAPHER, ADMIN}),
    ("DELETE", "/api/photographer/events/1/photos/1/guests/1", {PHOTOGRAPHER, ADMIN}),
    ("GET", "/api/my-uploaded-photos", {PHOTOGRAPHER}),
    ("PUT", "/api/photos/bulk/show-in-general", {PHOTOGRAPHER}),
    ("PUT", "/api/photos/1/show-in-general", {PHOTOGRAPHER}),
    ("DELETE", "/api/photos/1", {PHOTOGRAPHER}),
    ("DELETE", "/api/photos?photo_ids=1", {PHOTOGRAPHER}),
    ("POST", "/api/admin/create-admin", {ADMIN}),
    ("POST", "/api/admin/create-photographer", {ADMIN}),
    ("GET", "/api/admin/photographers", {ADMIN}),
    ("POST", "/api/admin/photographers", {ADMIN}),
    ("GET", "/api/admin/events", {ADMIN}),
    ("POST", "/api/admin/create-event", {ADMIN}),
    ("POST", "/api/admin/generate-event-code", {ADMIN}),
    ("POST", "/api/admin/set-event-code", {ADMIN}),
    ("PUT", "/api/admin/events/1", {ADMIN}),
    ("GET", "/api/admin/events/1/users", {ADMIN}),
    ("POST", "/api/admin/events/1/rematch", {ADMIN}),
    ("GET", "/api/admin/queue/stats", {ADMIN}),
    ("GET", "/api/admin/queue/jobs/1", {ADMIN}),
    ("POST", "/api/admin/cache/clear", {ADMIN}),
    ("GET", "/api/admin/rekognition/threshold", {ADMIN}),
    ("POST", "/api/admin/rekognition/threshold", {ADMIN}),
    ("GET", "/api/admin/events/1/face-groups", {ADMIN}),
    ("GET", "/api/admin/events/1/users/1/group-faces", {ADMIN}),
    ("GET", "/api/admin/event-qr/1", {ADMIN}),
    ("POST", "/api/admin/events/1/reset-expiration", {PHOTOGRAPHER, ADMIN}),
    ("PUT", "/api/admin/photographers/1", {ADMIN}),
    ("DELETE", "/api/admin/photographers/1", {ADMIN}),
    ("GET", "/api/admin/aws-usage", {ADMIN}),
    ("GET", "/api/admin/dead-letters", {ADMIN}),
    ("GET", "/api/admin/dead-letters/1", {ADMIN}),
    ("POST", "/api/admin/dead-letters/1/replay", {ADMIN}),
    ("POST", "/api/admin/dead-letters/replay", {ADMIN}),
    ("DELETE", "/api/admin/dead-letters/1", {ADMIN}),
    ("DELETE", "/api/admin/dead-letters?queue=findme.match.00", {ADMIN}),
    ("DELETE", "/api/admin/events/1", {ADMIN}),
    # Last, as the callers are gone afterwards.
    ("DELETE", "/api/admin/users/1", {ADMIN}),
    ("DELETE", "/api/me", EVERYBODY),
]
#: Nobody is asked who they are.
OPEN = {
    "/api/check-event-code",
    "/api/check-user-availability",
    "/api/register-with-event-code",
    "/api/register-invite",
    "/api/login",
    "/api/register-admin",
    "/api/admin/register-admin",
}


async def call(world: World, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    return await world.client.request(method, path, headers=headers)


@pytest.fixture
async def people(world: World) -> dict[Role, Person]:
    return {role: await world.person(role) for role in Role}


async def test_every_route_asks_for_a_valid_token(world: World, people: dict[Role, Person]) -> None:
    admin = Principal(people[ADMIN].id, ADMIN)
    expired = Tokens(SECRET).issue(admin, lifetime=timedelta(minutes=-2))
    forged = Tokens("another secret of more than 32 letters").issue(
        admin, lifetime=timedelta(days=1)
    )
    for method, path, _ in ROUTES:
        for token in (None, expired, forged, "not-a-token"):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = await call(world, method, path, headers)
            assert answer.status_code == 401, f"{method} {path} with {token}"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert isinstance(answer.json()["detail"], str)


async def test_every_route_lets_through_its_roles_and_no_other(
    world: World, people: dict[Role, Person]
) -> None:
    for method, path, allowed in ROUTES:
        for role, person in people.items():
            answer = await call(world, method, path, person.headers)
            context = f"{method} {path} as {role.name}: {answer.status_code}"
            assert (answer.status_code != 403) == (role in allowed), context
            assert answer.status_code < 500, context


async def test_no_route_was_forgotten_here(world: World) -> None:
    listed = {(method, path.partition("?")[0].replace("/1", "/{}")) for method, path, _ in ROUTES}
    listed |= {("POST", path) for path in OPEN}
    lists = ("photos", "all-photos", "uncertain-photos")
    listed |= {("GET", f"/api/user/events/{{}}/{name}") for name in lists}
    served = set()
    for path, methods in world.app.openapi()["paths"].items():
        bare = re.sub(r"\{\w+\}", "{}", path)
        served |= {(method.upper(), bare) for method in methods}
    hidden = {("POST", "/api/admin/register-admin")}
    assert served == listed - hidden


async def test_the_cookie_is_as_good_as_the_header(
    world: World, people: dict[Role, Person]
) -> None:
    guest = people[GUEST]
    cookie = {"Cookie": f"access_token={guest.token}"}
    answer = await call(world, "GET", "/api/me", cookie)
    assert answer.json()["id"] == guest.id
