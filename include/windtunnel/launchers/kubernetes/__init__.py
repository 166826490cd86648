"""Jobs as pods on a Kubernetes cluster."""

from windtunnel.launchers.kubernetes.launcher import KubernetesLauncher

__all__ = ["KubernetesLauncher"]
