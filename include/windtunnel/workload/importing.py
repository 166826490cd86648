"""What a workload's module may do to the process that imports it: nothing that outlasts the import."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NoReturn

_STREAMS = {"stdout": 1, "stderr": 2}


@contextmanager
def unharmed() -> Iterator[None]:
    """The time in which a module is imported.

    `os._exit` is an error, and so is an `os.exec…`, for this process would end without a word. A process that the
    module forks may do both, but does not come back from the import as if it were this one. Standard output and
    standard error that it closes or replaces are put back, or this process could say nothing more.

    Raises:
        SystemExit: from the module's `os._exit`.
        ImportError: from the module's `os.execv` and its kind.
    """
    with _same_streams(), _same_process():
        yield


@contextmanager
def _same_process() -> Iterator[None]:
    process = os.getpid()
    own = {name: getattr(os, name) for name in ("_exit", "execv", "execve")}  # the other six of exec call these two

    def leave(status: int) -> NoReturn:
        if os.getpid() != process:
            own["_exit"](status)
        raise SystemExit(status)

    def become(name: str, *given: Any, **named: Any) -> NoReturn:
        if os.getpid() != process:
            own[name](*given, **named)
        raise ImportError(f"os.{name} would replace this process by another program: start that by subprocess.run")

    os._exit = leave
    for name in ("execv", "execve"):
        setattr(os, name, partial(become, name))
    code = 1
    try:
        yield
        code = 0
    finally:
        for name, function in own.items():
            setattr(os, name, function)
        if os.getpid() != process:
            os._exit(code)


@contextmanager
def _same_streams() -> Iterator[None]:
    streams = {name: getattr(sys, name) for name in _STREAMS}
    copies = {number: _copy(number) for number in _STREAMS.values()}
    try:
        yield
    finally:
        for number, copy in copies.items():
            if copy is not None:
                os.dup2(copy, number)
                os.close(copy)
        for name, stream in streams.items():
            with suppress(Exception):  # whatever the module has put there may be no stream at all
                getattr(sys, name).flush()
            setattr(sys, name, stream)  # which may close what was there, and with it this one
            setattr(sys, name, _usable(stream, _STREAMS[name]))


def _copy(descriptor: int) -> int | None:
    """Another descriptor of the same file; None where there is none, as in a service."""
    with suppress(OSError):
        return os.dup(descriptor)
    return None


def _usable(stream: Any, descriptor: int) -> Any:
    """The stream, or another one onto the descriptor where this one was closed or taken apart."""
    if _is_gone(stream):
        with suppress(OSError):  # a service has none
            return open(descriptor, "w", buffering=1, errors="backslashreplace", closefd=False)
    return stream


def _is_gone(stream: Any) -> bool:
    try:
        return bool(getattr(stream, "closed", False))
    except ValueError:  # its parts were taken out of it
        return True
