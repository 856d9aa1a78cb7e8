import re

from services.gallery.api_document.routes import DOCUMENT
from tests.gallery.world import World


async def test_anybody_gets_the_document_of_all_routes(world: World) -> None:
    answer = await world.client.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == DOCUMENT.read_bytes()
    assert {"/api/login", "/api/validate-selfie", "/api/photo/{photo_id}"} <= set(
        answer.json()["paths"]
    )


async def test_the_page_is_made_of_our_own_files_and_may_load_nothing_else(world: World) -> None:
    page = await world.client.get("/api/docs/gallery")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 4
    for address in loaded:
        assert address.startswith("/api/docs/assets/")
        file = await world.client.get(address)
        assert file.status_code == 200
        assert len(file.content) > 100
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "script-src 'self';" in policy


async def test_the_page_begins_with_the_document_that_is_served(world: World) -> None:
    start = (await world.client.get("/api/docs/assets/start.js")).text
    (url,) = re.findall(r'url: "([^"]+)"', start)
    document = (await world.client.get(url)).json()
    assert document["openapi"].startswith("3.")


async def test_no_other_file_is_served(world: World) -> None:
    for name in ("core.py", "..%2fcore.py", "redoc.standalone.js", "%2e%2e"):
        answer = await world.client.get(f"/api/docs/assets/{name}")
        assert answer.status_code == 404, name
