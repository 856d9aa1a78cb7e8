"""Prometheus in the cluster has the rules and the jobs of deploy/monitoring."""

import runpy
from pathlib import Path

import yaml

from tests.support.k8s.manifests import K8S, Object
from tests.support.k8s.render import rendered

PROMETHEUS = K8S.parent / "monitoring" / "prometheus"
SCRIPT = K8S / "prometheus_rules.py"


def test_the_rules_are_those_of_the_files() -> None:
    objects = {
        each["metadata"]["name"]: each["spec"]
        for each in rendered("production").of("PrometheusRule")
    }
    assert objects == {
        f"findme-{path.stem}": yaml.safe_load(path.read_text())
        for path in (PROMETHEUS / "rules").glob("*.yml")
    }


def test_the_wrapped_rules_are_what_the_script_writes() -> None:
    written = K8S / "components" / "monitoring" / "prometheus-rules.yaml"
    assert runpy.run_path(str(SCRIPT))["wrapped"]() == written.read_text(), (
        f"run python {SCRIPT.relative_to(Path.cwd())}"
    )


def test_the_jobs_have_the_names_that_rules_and_dashboards_know() -> None:
    jobs = set()
    for monitor in rendered("production").of("PodMonitor"):
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            for each in endpoint.get("relabelings", []):
                if each["targetLabel"] == "job":
                    jobs |= _values(each)
    configured = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    # The door for cameras is a component of its own, which production may have.
    assert jobs >= {each["job_name"] for each in configured} - {"prometheus", "ftp"}


def _values(relabeling: Object) -> set[str]:
    if "replacement" in relabeling:
        return {relabeling["replacement"]}
    assert relabeling["sourceLabels"] == ["__meta_kubernetes_pod_label_app_kubernetes_io_component"]
    return {
        each.labels["app.kubernetes.io/component"]
        for each in rendered("production").workloads
        if each.ports
    }


def test_queues_are_asked_for_as_the_other_prometheus_asks() -> None:
    (configured,) = [
        each
        for each in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
        if each["job_name"] == "rabbitmq-queues"
    ]
    endpoints = rendered("production").get("PodMonitor", "findme-mq")["spec"]["podMetricsEndpoints"]
    (queues,) = [each for each in endpoints if "params" in each]
    assert (queues["path"], queues["params"]) == (configured["metrics_path"], configured["params"])


def test_grafana_finds_the_dashboards_of_the_files() -> None:
    found: dict[str, str] = {}
    for each in rendered("production").of("ConfigMap"):
        if each["metadata"].get("labels", {}).get("grafana_dashboard") == "1":
            found |= each["data"]
    folder = PROMETHEUS.parent / "grafana" / "dashboards"
    assert found == {path.name: path.read_text() for path in folder.glob("*.json")}
