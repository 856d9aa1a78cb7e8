"""Wrap the rule files of deploy/monitoring for the Prometheus operator.

python deploy/k8s/prometheus_rules.py writes components/monitoring/prometheus-rules.yaml; a test
says when that has to be done again.
"""

from pathlib import Path
from textwrap import indent

K8S = Path(__file__).parent
RULES = K8S.parent / "monitoring" / "prometheus" / "rules"
TARGET = K8S / "components" / "monitoring" / "prometheus-rules.yaml"

_HEAD = """# Made by deploy/k8s/prometheus_rules.py from deploy/monitoring: edit it there.
"""
_OBJECT = """---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: findme-{name}
  labels:
    app.kubernetes.io/name: findme
spec:
"""


def wrapped() -> str:
    """The rule files as PrometheusRule objects, comments included."""
    files = sorted(RULES.glob("*.yml"))
    return _HEAD + "".join(
        _OBJECT.format(name=path.stem) + indent(path.read_text(), "  ") for path in files
    )


if __name__ == "__main__":
    TARGET.write_text(wrapped())
