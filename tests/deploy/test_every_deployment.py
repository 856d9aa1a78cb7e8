"""What must hold wherever FindMe runs: the overlays, docker-compose.yml, and standalone."""

from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI

from libs.common.settings import KEPT_CONNECTIONS, CommonSettings
from libs.common.web.http_protocol import HttpProtocol
from libs.common.web.serve import server_config
from services.gallery.settings import GallerySettings
from standalone.app import common_settings
from standalone.settings import StandaloneSettings
from tests.support.compose import environment_of, read_compose
from tests.support.k8s.check_settings import SETTINGS, settings_of
from tests.support.k8s.manifests import OVERLAYS, SERVICES
from tests.support.k8s.render import rendered
from tests.support.people import SECRET

#: An address that a proxy may have in any of them.
A_PROXY = "10.42.3.7"


def deployed() -> Iterator[tuple[str, CommonSettings]]:
    """Each service's settings, as it reads them where there is a process for each."""
    for overlay in OVERLAYS:
        manifests = rendered(overlay)
        for name in SERVICES:
            workload = manifests.workload("Deployment", name)
            yield f"{overlay}: {name}", settings_of(manifests, workload)
    for name in SERVICES:
        given = environment_of(read_compose()["services"][name]) | {
            "DATABASE_URL": "postgresql://postgres/findme",
            "SECRET_KEY": SECRET,
        }
        fields = SETTINGS[name].model_fields
        settings = SETTINGS[name].model_validate(
            {key.lower(): value for key, value in given.items() if key.lower() in fields}
        )
        assert isinstance(settings, CommonSettings)
        yield f"compose: {name}", settings


def test_connections_are_left_for_readiness_and_requests_whatever_reads_lists(
    tmp_path: Path,
) -> None:
    standalone = common_settings(
        StandaloneSettings(findme_data_dir=tmp_path), "postgresql://localhost/findme"
    )
    default = GallerySettings(database_url="postgresql://localhost/findme", secret_key=SECRET)
    everywhere = [
        *deployed(),
        ("standalone", GallerySettings.model_validate(standalone)),
        ("default", default),
    ]
    starved = [
        f"{where}: {left} of {settings.db_connections} are left"
        for where, settings in everywhere
        for left in [settings.db_connections - settings.db_scans_at_once - KEPT_CONNECTIONS]
        if left < 4
    ]
    assert not starved, "\n".join(starved)


def scheme_behind(proxy: str, settings: CommonSettings) -> str:
    """What a service takes for the guest's scheme when a proxy at that address says https."""
    config = server_config(FastAPI(), settings)
    config.load()
    protocol = config.http_protocol_class
    assert issubclass(protocol, HttpProtocol)
    assert protocol.forwarded is not None
    scope = {
        "scheme": "http",
        "client": (proxy, 40_000),
        "headers": [(b"x-forwarded-proto", b"https")],
    }
    protocol.forwarded.believe(scope)
    return str(scope["scheme"])


def test_services_behind_a_gateway_believe_that_the_guest_came_by_https() -> None:
    seen = {where: scheme_behind(A_PROXY, settings) for where, settings in deployed()}
    assert set(seen.values()) == {"https"}, seen


def test_unless_told_otherwise_only_a_proxy_on_the_same_machine_is_believed() -> None:
    settings = CommonSettings(database_url="postgresql://localhost/findme", secret_key=SECRET)
    assert scheme_behind("127.0.0.1", settings) == "https"
    assert scheme_behind(A_PROXY, settings) == "http"
    assert StandaloneSettings().forwarded_allow_ips == settings.forwarded_allow_ips
