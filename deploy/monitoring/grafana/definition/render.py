"""Dashboards in Grafana's JSON."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

from deploy.monitoring.grafana.definition.panels import Dashboard, Limits, Panel

#: Of Grafana 12; older ones from 10 on read it, newer ones bring it up to date.
SCHEMA_VERSION = 41
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
SIZES = {"stat": (4, 4), "timeseries": (8, 8)}
#: Grafana's names, where ours say more.
UNITS = {"cores": "none", "bool": "bool_yes_no"}


def rendered(dashboard: Dashboard) -> str:
    """Return the dashboard as the text of a file that Grafana provisions."""
    return json.dumps(_dashboard(dashboard), indent=2) + "\n"


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": f"findme-{dashboard.name}",
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["findme"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [
            {
                "type": "dashboards",
                "title": "FindMe",
                "tags": ["findme"],
                "keepTime": True,
                "includeVars": True,
                "asDropdown": False,
            }
        ],
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                    "refresh": 1,
                    "hide": 0,
                    "includeAll": False,
                    "multi": False,
                }
            ]
        },
        "annotations": {
            "list": [
                {
                    "name": "Alerts",
                    "datasource": DATASOURCE,
                    "enable": True,
                    "iconColor": "red",
                    "expr": 'ALERTS{alertname=~"FindMe.+", alertstate="firing"}',
                    "titleFormat": "{{alertname}}",
                    "textFormat": "{{severity}}",
                }
            ]
        },
        "panels": list(_panels(dashboard)),
    }


def _panels(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    ids = itertools.count(1)
    y = 0
    for row in dashboard.rows:
        yield {
            "id": next(ids),
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
        }
        y += 1
        x = height = 0
        for panel in row.panels:
            width, panel_height = SIZES[panel.kind]
            if x + width > COLUMNS:
                x, y = 0, y + height
            height = panel_height
            place = {"h": height, "w": width, "x": x, "y": y}
            yield _panel(panel, next(ids), place)
            x += width
        y += height


def _panel(panel: Panel, panel_id: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": panel_id,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": place,
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": DATASOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "instant": panel.kind == "stat",
                "range": panel.kind == "timeseries",
            }
            for number, query in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": UNITS.get(panel.unit, panel.unit),
                "min": 0,
                "thresholds": _thresholds(panel.limits),
                "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
                "custom": _custom(panel),
            },
            "overrides": [],
        },
        "options": _options(panel),
    }


def _thresholds(limits: Limits) -> dict[str, Any]:
    """Grafana's steps rise: a falling limit begins with red."""
    steps: list[dict[str, Any]]
    if limits.falling:
        steps = [{"color": "red", "value": None}]
        steps += [{"color": "yellow", "value": limits.red}] if limits.yellow is not None else []
        top = limits.red if limits.yellow is None else limits.yellow
        return {"mode": "absolute", "steps": [*steps, {"color": "green", "value": top}]}
    steps = [{"color": "green", "value": None}]
    for color, value in (("yellow", limits.yellow), ("red", limits.red)):
        if value is not None:
            steps.append({"color": color, "value": value})
    return {"mode": "absolute", "steps": steps}


def _custom(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        return {}
    has_limits = panel.limits.yellow is not None or panel.limits.red is not None
    return {
        "lineWidth": 1,
        "fillOpacity": 20 if panel.stacked else 5,
        "showPoints": "never",
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if has_limits else "off"},
    }


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "background",
            "graphMode": "none",
            "textMode": "auto",
        }
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
