"""The dashboards as Python; `python -m deploy.monitoring.grafana.definition` writes the JSON."""
