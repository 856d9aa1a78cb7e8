"""Dashboards: what the definition gives, complete, and on metrics that services expose."""

import re
from typing import Any

import pytest
from prometheus_client import REGISTRY

from deploy.monitoring.grafana.definition.dashboards import DASHBOARDS
from deploy.monitoring.grafana.definition.render import DATASOURCE, rendered
from libs.common.messaging.buckets import BUCKETS
from services.gallery.app import create_app as gallery
from services.gallery.settings import GallerySettings
from services.ingest.app import create_app as ingest
from services.ingest.settings import IngestSettings
from services.media.app import create_app as media
from services.media.settings import MediaSettings
from tests.support import monitoring, promql
from tests.support.exposed import registered
from tests.support.monitoring import FOREIGN, Known, dashboards, expressions, panels
from tests.support.settings import settings_of

EXPRESSIONS = expressions()


@pytest.fixture(scope="module")
def known() -> dict[str, Known]:
    """Everything that an expression may name."""
    everything = registered() | FOREIGN
    for name, rule in monitoring.recorded().items():
        labels = frozenset[str]().union(
            *(
                use.labels & everything[use.metric].labels
                for use in promql.uses(rule["expr"])
                if use.metric in everything
            )
        )
        everything[name] = Known("gauge", labels - {"le"} | monitoring.TARGET_LABELS)
    return everything


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard.name))
def test_the_committed_file_is_what_the_definition_gives(dashboard: Any) -> None:
    file = monitoring.MONITORING / "grafana" / "dashboards" / f"{dashboard.name}.json"
    assert file.read_text() == rendered(dashboard), (
        "write it anew: python -m deploy.monitoring.grafana.definition"
    )


def test_every_file_has_a_definition() -> None:
    assert dashboards().keys() == {dashboard.name for dashboard in DASHBOARDS}


def test_every_panel_says_what_is_normal_and_what_to_do_else() -> None:
    for name, panel in panels():
        where = f"{name}: {panel['title']}"
        normal, otherwise = panel["description"].split("\n\n")
        assert re.fullmatch(r"Normal: .+[.]", normal), where
        assert re.fullmatch(r"Otherwise: .{5,}[.?]", otherwise), where


def test_every_panel_has_a_unit_thresholds_and_queries_on_the_chosen_datasource() -> None:
    for name, panel in panels():
        where = f"{name}: {panel['title']}"
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"], where
        steps = defaults["thresholds"]["steps"]
        values = [step["value"] for step in steps]
        assert values[0] is None, where
        assert values[1:] == sorted(set(values[1:])), where
        assert {step["color"] for step in steps} <= {"green", "yellow", "red"}
        assert panel["datasource"] == DATASOURCE, where
        assert panel["targets"], where
        assert all(target["datasource"] == DATASOURCE for target in panel["targets"])


def test_titles_of_a_dashboard_and_addresses_are_unique_and_panels_do_not_overlap() -> None:
    assert len({dashboard["uid"] for dashboard in dashboards().values()}) == len(DASHBOARDS)
    for dashboard in dashboards().values():
        shown = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
        titles = [panel["title"] for panel in shown]
        assert len(titles) == len(set(titles))
        cells: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            own = {
                (place["x"] + x, place["y"] + y)
                for x in range(place["w"])
                for y in range(place["h"])
            }
            assert not cells & own, panel["title"]
            assert all(x < 24 for x, _ in own)
            cells |= own


def test_the_runbooks_sections_that_panels_name_are_there() -> None:
    headings = {
        heading.lower().replace("`", "")
        for heading in re.findall(
            r"^#+ (.+)$", (monitoring.PROJECT / "RUNBOOK.md").read_text(), re.MULTILINE
        )
    }
    named = [
        section.lower()
        for _, panel in panels()
        for section in re.findall(r"RUNBOOK\.md, ([^.;]+)", panel["description"])
    ]
    assert len(named) > 20
    assert set(named) <= headings


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_an_expression_names_metrics_and_labels_that_exist(
    where: str, known: dict[str, Known]
) -> None:
    used = promql.uses(EXPRESSIONS[where])
    assert used
    for use in used:
        assert use.metric in known, f"{use.metric} is exposed by nobody"
        missing = use.labels - known[use.metric].labels
        assert not missing, f"{use.metric} has no label {missing}"


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_rates_are_taken_of_counters_and_of_nothing_else(
    where: str, known: dict[str, Known]
) -> None:
    for use in promql.uses(EXPRESSIONS[where]):
        is_counter = known[use.metric].kind == "counter"
        assert use.is_rated == is_counter, use.metric
        if use.is_in_quantile:
            assert use.metric.endswith("_bucket")


def test_legends_name_labels_that_their_series_have(known: dict[str, Known]) -> None:
    for name, panel in panels():
        for target in panel["targets"]:
            used = promql.uses(target["expr"])
            for label in monitoring.legend_labels(target["legendFormat"]):
                assert all(label in known[use.metric].labels for use in used), (name, target)


def test_the_number_of_partitions_is_the_codes() -> None:
    [panel] = [panel for _, panel in panels() if panel["title"] == "Partitions owned"]
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"] == BUCKETS


def test_routes_that_expressions_match_are_routes_of_the_services() -> None:
    url = "postgresql://nobody@localhost/nothing"
    apps = (
        gallery(settings_of(GallerySettings, url)),
        ingest(settings_of(IngestSettings, url)),
        media(settings_of(MediaSettings, url)),
    )
    routes = {path for app in apps for path in app.openapi()["paths"]}
    patterns = {
        value
        for expr in EXPRESSIONS.values()
        for use in promql.uses(expr)
        for label, operator, value in use.matchers
        if label == "route" and operator in ("=", "=~")
    }
    assert len(patterns) >= 4
    for pattern in patterns:
        # OpenAPI leaves out that a parameter takes slashes.
        plain = pattern.replace(":path}", "}")
        assert any(plain == route or re.fullmatch(plain, route) for route in routes), pattern


def test_counters_that_alerts_take_shares_of_begin_at_zero() -> None:
    """One that appears with its first failures hides them: a rate needs what was before."""
    registered()
    for name, labels in (
        ("findme_uploads_total", {"outcome": "failed"}),
        ("findme_photos_total", {"outcome": "failed"}),
        ("findme_selfies_indexed_total", {"outcome": "failed"}),
        ("findme_workers_lost_total", {"cause": "crashed"}),
        ("findme_workers_lost_total", {"cause": "timed_out"}),
        ("findme_partition_moves_total", {"kind": "lost"}),
        ("findme_partition_moves_total", {"kind": "taken_over"}),
    ):
        assert REGISTRY.get_sample_value(name, labels) is not None, name
