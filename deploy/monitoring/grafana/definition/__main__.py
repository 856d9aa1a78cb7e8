"""Write the dashboards that Grafana loads."""

from pathlib import Path

from deploy.monitoring.grafana.definition.dashboards import DASHBOARDS
from deploy.monitoring.grafana.definition.render import rendered

FOLDER = Path(__file__).parents[1] / "dashboards"

for dashboard in DASHBOARDS:
    (FOLDER / f"{dashboard.name}.json").write_text(rendered(dashboard))
