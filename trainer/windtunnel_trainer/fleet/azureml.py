"""What Azure ML has for entry scripts beside its contract: `from azureml_user.parallel_run import EntryScript`."""

import importlib.util
import logging
import sys
from types import ModuleType

_PACKAGE, _MODULE = "azureml_user", "azureml_user.parallel_run"


class EntryScript:
    """What an entry script may ask for.

    Attributes:
        logger: writes to the process's log.
    """

    logger = logging.getLogger(_MODULE)


def offer(level: str) -> None:
    """Let scripts import `EntryScript`; where Azure's own package is installed, they get that one.

    Args:
        level: the least level that is logged, such as `INFO`.
    """
    if _PACKAGE in sys.modules or importlib.util.find_spec(_PACKAGE) is not None:
        return
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    EntryScript.logger.addHandler(handler)
    EntryScript.logger.setLevel(level)
    EntryScript.logger.propagate = False
    package, module = ModuleType(_PACKAGE), ModuleType(_MODULE)
    package.parallel_run = module  # type: ignore[attr-defined]
    module.EntryScript = EntryScript  # type: ignore[attr-defined]
    sys.modules |= {_PACKAGE: package, _MODULE: module}
