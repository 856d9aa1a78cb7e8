"""Dashboards: complete, usable in any Grafana, and on metrics that services expose."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from libs.common.messaging.bus.topology import BUCKETS
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
#: The one that the page's variable chooses.
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def placed() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every panel, with where it stands in words."""
    for name, panel in panels():
        yield f"{name}: {panel['title']}", panel


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


def test_every_dashboard_has_its_address_leads_to_the_others_and_shows_alerts() -> None:
    for name, dashboard in dashboards().items():
        assert dashboard["uid"] == f"findme-{name}"
        assert dashboard["title"].startswith("FindMe: "), name
        assert dashboard["description"].endswith("."), name
        [link] = dashboard["links"]
        assert (link["type"], link["keepTime"], link["includeVars"]) == ("dashboards", True, True)
        assert link["tags"] == dashboard["tags"] == ["findme"], name
        [variable] = dashboard["templating"]["list"]
        assert (variable["name"], variable["query"]) == ("datasource", "prometheus"), name
        [alerts] = dashboard["annotations"]["list"]
        assert alerts["datasource"] == DATASOURCE, name
        assert [use.metric for use in promql.uses(alerts["expr"])] == ["ALERTS"], name


def test_a_dashboard_is_exported_for_any_grafana() -> None:
    for name, dashboard in dashboards().items():
        assert dashboard.get("id") is None, f"{name} has the id of one Grafana"
        assert not dashboard.keys() & {"__inputs", "__requires", "__elements"}, (
            f"{name} asks for its data source: export it without 'for sharing externally'"
        )


def test_every_panel_says_what_is_normal_and_what_to_do_else() -> None:
    said = re.compile(r"Normal: .+[.]\n\nOtherwise: .{5,}[.?]")
    silent = [where for where, panel in placed() if not said.fullmatch(panel["description"])]
    assert not silent, "\n".join(silent)


def test_every_panel_has_a_title_a_unit_and_limits_that_rise() -> None:
    problems = []
    for where, panel in placed():
        defaults = panel["fieldConfig"]["defaults"]
        steps = defaults["thresholds"]["steps"]
        values = [step["value"] for step in steps]
        if not panel["title"].strip():
            problems.append(f"{where}: no title")
        if not defaults["unit"]:
            problems.append(f"{where}: no unit")
        if values[0] is not None or values[1:] != sorted(set(values[1:])):
            problems.append(f"{where}: limits {values}")
        if not {step["color"] for step in steps} <= {"green", "yellow", "red"}:
            problems.append(f"{where}: colours {steps}")
    assert not problems, "\n".join(problems)


def test_every_query_asks_the_chosen_datasource_for_what_its_panel_draws() -> None:
    problems = []
    for where, panel in placed():
        targets = panel["targets"]
        sources = [panel["datasource"], *(target["datasource"] for target in targets)]
        if not targets or any(source != DATASOURCE for source in sources):
            problems.append(f"{where}: asks {sources}")
        if len({target["refId"] for target in targets}) != len(targets):
            problems.append(f"{where}: two queries of one name")
        drawn = {"stat": (True, False), "timeseries": (False, True)}[panel["type"]]
        if any((target["instant"], target["range"]) != drawn for target in targets):
            problems.append(f"{where}: a {panel['type']} of another kind of query")
        if not all(target["legendFormat"] for target in targets):
            problems.append(f"{where}: a line without a name")
    assert not problems, "\n".join(problems)


def test_titles_and_ids_of_a_dashboard_are_unique_and_panels_do_not_overlap() -> None:
    for dashboard in dashboards().values():
        titles = [panel["title"] for panel in dashboard["panels"] if panel["type"] != "row"]
        assert sorted(titles) == sorted(set(titles))
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert sorted(ids) == sorted(set(ids))
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
            r"^#+ (.+)$",
            (monitoring.PROJECT / "docs" / "operate" / "runbook.md").read_text(),
            re.MULTILINE,
        )
    }
    named = [
        section.lower()
        for _, panel in panels()
        for section in re.findall(r"docs/operate/runbook\.md, ([^.;]+)", panel["description"])
    ]
    assert len(named) > 20
    assert set(named) <= headings


def test_every_expression_names_metrics_and_labels_that_exist(known: dict[str, Known]) -> None:
    problems = []
    for where, expr in EXPRESSIONS.items():
        try:
            used = promql.uses(expr)
        except ValueError as error:
            problems.append(f"{where}: {error}")
            continue
        if not used:
            problems.append(f"{where}: asks for nothing")
        for use in used:
            if use.metric not in known:
                problems.append(f"{where}: {use.metric} is exposed by nobody")
            elif missing := use.labels - known[use.metric].labels:
                problems.append(f"{where}: {use.metric} has no label {sorted(missing)}")
    assert not problems, "\n".join(problems)


def test_rates_are_taken_of_counters_and_of_nothing_else(known: dict[str, Known]) -> None:
    problems = []
    for where, expr in EXPRESSIONS.items():
        for use in promql.uses(expr):
            if use.is_rated != (known[use.metric].kind == "counter"):
                problems.append(f"{where}: {use.metric} is a {known[use.metric].kind}")
            if use.is_in_quantile and not use.metric.endswith("_bucket"):
                problems.append(f"{where}: a quantile of {use.metric}")
    assert not problems, "\n".join(problems)


def test_legends_name_labels_that_their_series_have(known: dict[str, Known]) -> None:
    problems = []
    for where, panel in placed():
        for target in panel["targets"]:
            for use in promql.uses(target["expr"]):
                labels = monitoring.legend_labels(target["legendFormat"])
                if missing := labels - known[use.metric].labels:
                    problems.append(f"{where}: {use.metric} has no label {sorted(missing)}")
    assert not problems, "\n".join(problems)


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
        ("findme_uploads_total", {"outcome": "failed", "way": "form"}),
        ("findme_uploads_total", {"outcome": "failed", "way": "put"}),
        ("findme_photos_total", {"outcome": "failed"}),
        ("findme_selfies_indexed_total", {"outcome": "failed"}),
        ("findme_workers_lost_total", {"cause": "crashed"}),
        ("findme_workers_lost_total", {"cause": "timed_out"}),
        ("findme_partition_moves_total", {"kind": "lost"}),
        ("findme_partition_moves_total", {"kind": "taken_over"}),
    ):
        assert REGISTRY.get_sample_value(name, labels) is not None, name
