"""The rendered objects of an overlay, and questions that all checks ask of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]

K8S = Path(__file__).parents[3] / "deploy" / "k8s"
OVERLAYS = ("dev", "production")
SERVICES = ("ingest", "recognition", "gallery", "media")


@dataclass(frozen=True, slots=True)
class Workload:
    """Whatever makes pods of a template that we wrote."""

    owner: Object
    labels: dict[str, str]
    spec: Object

    @property
    def name(self) -> str:
        """Kind and name."""
        return f"{self.owner['kind']}/{self.owner['metadata']['name']}"

    @property
    def containers(self) -> list[Object]:
        """All containers, those of the start included."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        """The number of each named port."""
        return {
            port["name"]: port["containerPort"]
            for container in self.containers
            for port in container.get("ports", [])
        }


class Manifests:
    """The objects of one overlay."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self.objects = list(objects)

    def of(self, *kinds: str) -> list[Object]:
        """All objects of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def get(self, kind: str, name: str) -> Object:
        """The object of that kind and name; raises KeyError."""
        for each in self.of(kind):
            if each["metadata"]["name"] == name:
                return each
        raise KeyError(f"{kind}/{name}")

    def has(self, kind: str, name: str) -> bool:
        """Whether it is there."""
        return any(each["metadata"]["name"] == name for each in self.of(kind))

    @property
    def workloads(self) -> list[Workload]:
        """Deployments, StatefulSets, Jobs and CronJobs."""
        return [
            Workload(each, template["metadata"]["labels"], template["spec"])
            for each in self.of("Deployment", "StatefulSet", "Job", "CronJob")
            for template in [pod_template(each)]
        ]

    def workload(self, kind: str, name: str) -> Workload:
        """The one of that name; raises KeyError."""
        owner = self.get(kind, name)
        return next(each for each in self.workloads if each.owner is owner)

    @property
    def pods(self) -> dict[str, Mapping[str, str]]:
        """Labels of all pods by their owner's name; those that operators make included."""
        found: dict[str, Mapping[str, str]] = {
            each.owner["metadata"]["name"]: each.labels for each in self.workloads
        }
        for each in self.of("RabbitmqCluster"):
            name = each["metadata"]["name"]
            found[name] = {"app.kubernetes.io/name": name}
        for each in self.of("Cluster"):
            name = each["metadata"]["name"]
            found[name] = {"cnpg.io/cluster": name}
        return found

    @property
    def secrets(self) -> dict[str, set[str]]:
        """Keys of every secret that is generated, synchronised, or made by an operator."""
        found = {each["metadata"]["name"]: set(each.get("data", {})) for each in self.of("Secret")}
        for each in self.of("ExternalSecret"):
            target = each["spec"]["target"]
            made = target.get("template", {}).get("data")
            found[target["name"]] = (
                set(made) if made else {item["secretKey"] for item in each["spec"]["data"]}
            )
        for each in self.of("Cluster"):
            found[f"{each['metadata']['name']}-app"] = {"uri", "username", "password", "host"}
        for each in self.of("RabbitmqCluster"):
            found[f"{each['metadata']['name']}-default-user"] = {"username", "password", "host"}
        return found

    @property
    def services(self) -> dict[str, dict[str, int]]:
        """Named ports of every service, those that operators make included."""
        found = {
            each["metadata"]["name"]: {port["name"]: port["port"] for port in each["spec"]["ports"]}
            for each in self.of("Service")
        }
        for each in self.of("RabbitmqCluster"):
            found[each["metadata"]["name"]] = {
                "amqp": 5672,
                "management": 15672,
                "prometheus": 15692,
            }
        for each in self.of("Cluster"):
            found[f"{each['metadata']['name']}-rw"] = {"postgres": 5432}
        return found

    def settings(self, workload: Workload) -> dict[str, str | None]:
        """The environment of the (only) container; None for what comes out of a secret."""
        (container,) = workload.spec["containers"]
        found: dict[str, str | None] = {}
        for source in container.get("envFrom", []):
            found |= self.get("ConfigMap", source["configMapRef"]["name"])["data"]
        for each in container.get("env", []):
            found[each["name"]] = each.get("value")
        return found


#: What is wrong with an overlay, a sentence each.
Check = Callable[[Manifests], Sequence[str]]
#: Something done to an overlay, so that a check has a reason to complain.
Change = Callable[[Manifests], object]


def pod_template(owner: Object) -> Object:
    """The template of the pods that a Deployment, StatefulSet, Job or CronJob makes."""
    spec = owner["spec"].get("jobTemplate", owner)["spec"]
    template: Object = spec["template"]
    return template


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector of any form selects the labels."""
    if not all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_fits(each, labels) for each in selector.get("matchExpressions", []))


def _fits(expression: Object, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(expression["operator"])
