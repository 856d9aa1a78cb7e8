"""Gateway and Ingress send each path where the project's own table does."""

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

from services.gallery.app import create_app as create_gallery
from services.gallery.settings import GallerySettings
from services.ingest.app import create_app as create_ingest
from services.ingest.settings import IngestSettings
from services.media.app import create_app as create_media
from services.media.settings import MediaSettings
from services.recognition.app import create_app as create_recognition
from services.recognition.settings import RecognitionSettings
from standalone.gateway_routes import service_for
from tests.support.k8s.check_routes import (
    Match,
    anywhere,
    from_the_start,
    gateway_rules,
    ingress_rules,
    misrouted,
    reached,
    whole_path,
)
from tests.support.k8s.render import rendered

NOT_FROM_OUTSIDE = ("/livez", "/readyz", "/metrics")
GIVEN: dict[str, Any] = {"database_url": "postgresql://db/findme", "secret_key": "x" * 32}
ODD = [
    "/",
    "/internal/face-check",
    "/metrics",
    "/livez",
    "/readyz",
    "/api",
    "/apix",
    "/api/",
    "/api/media/",
    "/api/media/events/1/photos/a.jpg",
    "/api/image/a/b",
    "/api/photo/x",
    "/api/photo/12/faces",
    "/api/photos/12",
    "/api/selfie/me",
    "/api/downloads/12/photosxzip",
    "/api/downloads/12/photos.zip/more",
    "/api/docs/ingest/openapi.json",
    "/api/docs/media/openapi.json",
    "/api/docs/gallery",
    "/api/openapi.json",
    "/api/photographer/events/x/upload-photos",
    "/api/photographer/events/3/upload-photos/",
    "/api/photographer/events/3/photos",
    "/api/upload-selfie/again",
    "/other/api/upload-selfie",
    "/e",
    "/e/",
    "/e/GALA2026/me",
    "/ex",
    "/studio/events/3",
    "/wall/x",
    "/admin",
    "/start",
    "/_app/immutable/entry/boot.abc.js",
    "/_app/",
    "/icons/192.png",
    "/icon.svg",
    "/iconxsvg",
    "/manifest.webmanifest",
    "/service-worker.js",
    "/service-worker.js/more",
    "/internal/",
    "/internal/e/",
    "/internal/_app/a.js",
    "/internal/service-worker.js",
]


def paths() -> list[str]:
    """One of each route of every service, and odd ones."""
    apps = (
        create_ingest(IngestSettings(**GIVEN)),
        create_recognition(RecognitionSettings(**GIVEN)),
        create_gallery(GallerySettings(**GIVEN)),
        create_media(MediaSettings(**GIVEN)),
    )
    routes = {route.path for app in apps for route in app.routes if isinstance(route, APIRoute)}
    return sorted({re.sub(r"\{[^}]+\}", "12", path) for path in routes}) + ODD


def wanted(path: str) -> str | None:
    return None if path in NOT_FROM_OUTSIDE else service_for(path)


@pytest.mark.parametrize("fits", [whole_path, anywhere])
def test_the_gateway_agrees_with_the_projects_table(fits: Match) -> None:
    inside = [path for path in paths() if not path.startswith("/other")]
    assert list(misrouted(gateway_rules(rendered("production")), wanted, inside, fits)) == []


@pytest.mark.parametrize("fits", [from_the_start, anywhere])
def test_the_ingress_agrees_with_the_projects_table(fits: Match) -> None:
    inside = [path for path in paths() if not path.startswith("/other")]
    assert list(misrouted(ingress_rules(rendered("dev")), wanted, inside, fits)) == []


def test_the_paths_that_are_tried_reach_every_service_and_none() -> None:
    reaching = {wanted(path) for path in paths()}
    assert reaching == {"ingest", "gallery", "media", None}


def test_a_path_that_goes_astray_is_found() -> None:
    rules = [
        rule for rule in gateway_rules(rendered("production")) if "upload-photos" not in rule[0]
    ]
    path = "/api/photographer/events/3/upload-photos"
    assert list(misrouted(rules, wanted, [path], whole_path)) == [
        f"{path} reaches gallery, not ingest"
    ]


def test_the_longer_pattern_decides() -> None:
    rules = [("/api/.*", "gallery"), ("/api/media/.+", "media")]
    assert reached(rules, "/api/media/x", whole_path) == "media"
    assert reached(rules, "/internal/x", whole_path) is None


def test_only_redirects_answer_without_encryption() -> None:
    route = rendered("production").get("HTTPRoute", "findme-to-https")
    assert route["spec"]["parentRefs"][0]["sectionName"] == "http"
    assert all("backendRefs" not in rule for rule in route["spec"]["rules"])
    assert rendered("production").get("HTTPRoute", "findme")["spec"]["parentRefs"] == [
        {"name": "findme", "sectionName": "https"}
    ]


@pytest.mark.parametrize(
    "path", ["/api/photographer/events/3/upload-photos", "/api/events/3/stream"]
)
def test_uploads_and_live_streams_are_not_cut_off(path: str) -> None:
    rules = rendered("production").get("HTTPRoute", "findme")["spec"]["rules"]
    matching = [
        (len(match["path"]["value"]), rule["timeouts"]["request"])
        for rule in rules
        for match in rule["matches"]
        if match["path"]["type"] == "RegularExpression" and whole_path(match["path"]["value"], path)
    ]
    assert max(matching)[1] == "0s"
