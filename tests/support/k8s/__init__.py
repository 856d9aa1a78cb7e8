"""Reading, validating and judging the Kubernetes manifests, without a cluster."""
