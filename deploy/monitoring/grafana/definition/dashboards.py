"""All dashboards."""

from deploy.monitoring.grafana.definition.guests import GUESTS
from deploy.monitoring.grafana.definition.operators import OPERATORS

DASHBOARDS = (GUESTS, OPERATORS)
