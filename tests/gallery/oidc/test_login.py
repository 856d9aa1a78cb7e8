"""Admins and photographers log in by a provider: the whole way, over real sockets."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from libs.common.database.tables import audit, oidc_identities, users
from libs.common.setting_files import WrongSettings
from libs.common.web.auth import Role
from services.gallery.oidc.provider import provider_of
from services.gallery.settings import GallerySettings
from tests.gallery.world import World
from tests.support.http_server import serving
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, running_provider
from tests.support.polling import PATIENCE_SECONDS
from tests.support.settings import settings_of

PAULA = "paula@studio.example"


@dataclass
class Place:
    """FindMe and the provider, and a browser that follows redirects and keeps cookies."""

    world: World
    provider: OidcProvider
    browser: httpx.AsyncClient
    url: str

    async def begin(self, path: str = "/events") -> httpx.Response:
        """Go to the provider and come back: the answer is the redirect to FindMe."""
        sent = await self.browser.get(f"{self.url}/api/oidc/login", params={"next": path})
        assert sent.status_code == 303, sent.text
        return await self.browser.get(sent.headers["location"])

    async def log_in(self, path: str = "/events") -> httpx.Response:
        return await self.browser.get((await self.begin(path)).headers["location"])

    async def me(self) -> dict[str, Any] | None:
        answer = await self.browser.get(f"{self.url}/api/me")
        found: dict[str, Any] = answer.json()
        return found if answer.status_code == 200 else None

    async def is_refused(self, status: int) -> None:
        answer = await self.log_in()
        assert answer.status_code == status, answer.text
        assert isinstance(answer.json()["detail"], str)
        assert await self.me() is None
        assert await self.world.rows(oidc_identities) == []

    def says(self, **claims: object) -> None:
        self.provider.claims = {"sub": "paula-1", "email": PAULA, "email_verified": True} | claims


def configure(app: FastAPI, url: str, issuer: str, **more: object) -> None:
    settings: GallerySettings = app.state.settings
    settings = settings.model_copy(
        update={
            "public_url": url,
            "oidc_issuer": issuer,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": SecretStr(CLIENT_SECRET),
            **more,
        }
    )
    app.state.settings = settings
    app.state.oidc_provider = provider_of(settings)
    object.__setattr__(app.state.gallery, "settings", settings)


@pytest.fixture
async def place(world: World) -> AsyncIterator[Place]:
    async with contextlib.AsyncExitStack() as stack:
        provider = await stack.enter_async_context(running_provider())
        url = await stack.enter_async_context(serving(world.app))
        browser = await stack.enter_async_context(httpx.AsyncClient(timeout=PATIENCE_SECONDS))
        configure(world.app, url, provider.issuer)
        place = Place(world, provider, browser, url)
        place.says()
        yield place


@pytest.mark.parametrize("role", [Role.ADMIN, Role.PHOTOGRAPHER])
async def test_an_account_of_the_same_verified_address_is_logged_in_and_linked(
    place: Place, role: Role
) -> None:
    person = await place.world.person(role, email="Paula@Studio.example")
    answer = await place.log_in("/events/3")
    assert (answer.status_code, answer.headers["location"]) == (303, "/events/3")
    me = await place.me()
    assert me is not None
    assert (me["id"], me["user_type"]) == (person.id, role.value)
    assert not any("oidc" in cookie.name for cookie in place.browser.cookies.jar)
    (row,) = await place.world.rows(oidc_identities)
    assert (row["issuer"], row["subject"], row["user_id"]) == (
        place.provider.issuer,
        "paula-1",
        person.id,
    )
    # From here on by what the provider calls them, whatever their address becomes.
    place.browser.cookies.clear()
    place.says(email="paula@elsewhere.example", email_verified=False)
    await place.log_in()
    me = await place.me()
    assert me is not None
    assert me["id"] == person.id
    told = [(each["action"], each["details"]) for each in await place.world.rows(audit)]
    assert told == [("login.succeeded", {"by": "oidc"})] * 2


async def test_a_photographer_of_a_named_domain_is_made_once(place: Place) -> None:
    configure(
        place.world.app,
        place.url,
        place.provider.issuer,
        oidc_photographer_domains="other.example, Studio.example",
    )
    for _ in range(2):
        place.browser.cookies.clear()
        assert (await place.log_in()).status_code == 303
        me = await place.me()
        assert me is not None
        assert (me["email"], me["user_type"]) == (PAULA, "photographer")
    assert len(await place.world.rows(users)) == 1


async def test_nobody_else_gets_an_account(place: Place) -> None:
    await place.is_refused(403)
    assert await place.world.rows(users) == []


@pytest.mark.parametrize(
    ("role", "active", "claims"),
    [
        (Role.PARTICIPANT, True, {}),
        (Role.ADMIN, False, {}),
        (Role.ADMIN, True, {"email_verified": False}),
        (Role.ADMIN, True, {"email_verified": None}),
        (Role.ADMIN, True, {"email": ["paula@studio.example"]}),
        (Role.ADMIN, True, {"email": "pauła@studio.example"}),
    ],
)
async def test_whose_address_it_is_must_be_sure(
    place: Place, role: Role, *, active: bool, claims: dict[str, object]
) -> None:
    await place.world.person(role, email=PAULA, is_active=active)
    place.says(**claims)
    await place.is_refused(403)


TWISTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another issuer's": lambda claims: claims | {"iss": "https://evil.example"},
    "for another client": lambda claims: claims | {"aud": "another"},
    "for several clients": lambda claims: claims | {"aud": [CLIENT_ID, "x"], "azp": "x"},
    "of another login": lambda claims: claims | {"nonce": "another"},
    "of no login": lambda claims: {k: v for k, v in claims.items() if k != "nonce"},
    "expired": lambda claims: claims | {"exp": claims["exp"] - 1000},
    "without an end": lambda claims: {k: v for k, v in claims.items() if k != "exp"},
    "of nobody": lambda claims: {k: v for k, v in claims.items() if k != "sub"},
}


@pytest.mark.parametrize("twist", TWISTS)
async def test_a_token_that_is_not_for_this_login_lets_nobody_in(place: Place, twist: str) -> None:
    await place.world.person(Role.ADMIN, email=PAULA)
    place.provider.twist = TWISTS[twist]
    await place.is_refused(401)


async def test_a_token_that_somebody_else_has_signed_lets_nobody_in(place: Place) -> None:
    await place.world.person(Role.ADMIN, email=PAULA)
    place.provider.is_signed_by_another = True
    await place.is_refused(401)


async def test_an_address_that_only_userinfo_tells_is_taken_if_it_is_the_same_persons(
    place: Place,
) -> None:
    person = await place.world.person(Role.ADMIN, email=PAULA)
    place.provider.claims = {"sub": "paula-1"}
    place.provider.userinfo = {"sub": "eve-1", "email": PAULA, "email_verified": True}
    await place.is_refused(401)
    place.provider.userinfo |= {"sub": "paula-1"}
    await place.log_in()
    me = await place.me()
    assert me is not None
    assert me["id"] == person.id


async def test_an_answer_is_good_for_the_browser_that_asked_and_once(place: Place) -> None:
    await place.world.person(Role.ADMIN, email=PAULA)
    back = (await place.begin()).headers["location"]
    begun = dict(place.browser.cookies)
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as stranger:
        assert (await stranger.get(back)).status_code == 400
    parts = urlsplit(back)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    callback = f"{place.url}{parts.path}"
    for wrong, status in (
        ({"state": "another"}, 400),
        ({"state": "é"}, 422),
        ({"iss": "https://evil.example"}, 401),
        ({"code": "another"}, 401),
    ):
        async with httpx.AsyncClient(cookies=begun, timeout=PATIENCE_SECONDS) as browser:
            answer = await browser.get(callback, params=query | wrong)
            assert answer.status_code == status, answer.text
    without_code = {"state": query["state"], "error": "access_denied"}
    async with httpx.AsyncClient(cookies=begun, timeout=PATIENCE_SECONDS) as browser:
        assert (await browser.get(callback, params=without_code)).status_code == 401
        assert (await browser.get(back)).status_code == 303
    async with httpx.AsyncClient(cookies=begun, timeout=PATIENCE_SECONDS) as thief:
        assert (await thief.get(back)).status_code == 401


async def test_codes_are_not_tried_without_end(place: Place) -> None:
    await place.world.person(Role.ADMIN, email=PAULA)
    back = (await place.begin()).headers["location"]
    wrong = back.replace("code=", "code=another")
    statuses = [(await place.browser.get(wrong)).status_code for _ in range(110)]
    tried = statuses.index(429)
    assert set(statuses[:tried]) == {401}
    # A few more where the clock passes the end of a window meanwhile: it slides by estimate.
    assert 100 <= tried <= 105


async def test_the_code_of_one_login_is_not_taken_in_another(place: Place) -> None:
    """By PKCE, whoever has seen a code has not the verifier."""
    await place.world.person(Role.ADMIN, email=PAULA)
    stolen = parse_qs(urlsplit((await place.begin()).headers["location"]).query)["code"][0]
    place.browser.cookies.clear()
    own = parse_qs(urlsplit((await place.begin()).headers["location"]).query)
    answer = await place.browser.get(
        f"{place.url}/api/oidc/callback", params={"code": stolen, "state": own["state"][0]}
    )
    assert answer.status_code == 401


async def test_a_provider_that_does_not_answer_is_waited_for(place: Place) -> None:
    place.provider.has_broken_down = True
    answer = await place.browser.get(f"{place.url}/api/oidc/login")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    place.provider.has_broken_down = False
    assert (await place.browser.get(f"{place.url}/api/oidc/login")).status_code == 303
    # Nobody there.
    configure(place.world.app, place.url, "http://127.0.0.1:9")
    assert (await place.browser.get(f"{place.url}/api/oidc/login")).status_code == 503


async def test_a_provider_that_calls_itself_otherwise_is_not_trusted(place: Place) -> None:
    configure(place.world.app, place.url, f"{place.provider.issuer}/")
    assert (await place.browser.get(f"{place.url}/api/oidc/login")).status_code == 503


async def test_it_is_off_where_no_provider_is_named(world: World) -> None:
    for path in ("login", "callback"):
        assert (await world.client.get(f"/api/oidc/{path}")).status_code == 404


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": "https://login.example"},
        {"oidc_issuer": "https://login.example", "oidc_client_id": "x"},
        {"oidc_issuer": "http://login.example", "oidc_client_id": "x", "public_url": "https://x.y"},
        {"oidc_issuer": "login.example", "oidc_client_id": "x", "public_url": "https://x.y"},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(WrongSettings):
        settings_of(GallerySettings, "postgresql://localhost/findme", **settings)


def test_settings_that_work_are_taken() -> None:
    taken = settings_of(
        GallerySettings,
        "postgresql://localhost/findme",
        oidc_issuer="https://login.example",
        oidc_client_id="x",
        oidc_client_secret="",
        public_url="https://photos.example",
    )
    assert taken.oidc_client_secret is None
    assert taken.photographer_domains == frozenset()
    assert provider_of(taken) is not None
