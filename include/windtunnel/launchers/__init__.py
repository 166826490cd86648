"""Where jobs run. A launcher is chosen by name in the definition."""

from importlib import import_module

from windtunnel.errors import LaunchError
from windtunnel.launchers.base import Launcher

__all__ = ["Launcher", "get_launcher"]

# By name, the class; imported when asked for, since a launcher may need packages that other searches do without.
_LAUNCHERS = {
    "kubernetes": "windtunnel.launchers.kubernetes:KubernetesLauncher",
    "local": "windtunnel.launchers.local:LocalLauncher",
}


def get_launcher(name: str) -> Launcher:
    """The launcher of that name.

    Raises:
        LaunchError: there is none.
    """
    if name not in _LAUNCHERS:
        raise LaunchError(f"there is no launcher {name!r}: choose one of {', '.join(sorted(_LAUNCHERS))}")
    module, _, kind = _LAUNCHERS[name].partition(":")
    launcher = getattr(import_module(module), kind)()
    assert isinstance(launcher, Launcher)
    return launcher
