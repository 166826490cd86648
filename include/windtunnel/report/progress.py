"""The live display of a run: a small table that redraws itself on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from windtunnel.report.status import Observer, StageStatus, Status
from windtunnel.text import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_ROWS = 8  # stages shown at once; of a longer search, the latest
_LINE_EVERY = 30.0  # seconds between plain lines while nothing but counts changes
_LOOKING = 0.1  # share of the time that may go into looking at the ledger
_SHORTEST = 0.5  # seconds between looks


class Display:
    """Shows a run until the block ends; call `update` often, it looks at the ledger only as often as that is cheap."""

    def __init__(
        self, observer: Observer, title: str, file: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Show a run.

        Args:
            observer: of the run.
            title: the run's name, as the first line has it.
            file: to write to; by default standard output.
            clock: seconds from any beginning.
        """
        from rich import console

        self.console: Console = console.Console(file=file, highlight=False, markup=False)
        self.status = Status()
        self._observer = observer
        self._title = printable(title, keep="")
        self._clock = clock
        self._began = clock()
        self._next_look = 0.0
        self._begun: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._line: tuple[object, ...] = ()
        self._line_at = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            from rich.live import Live

            self._live = Live(
                console=self.console, get_renderable=self._render, refresh_per_second=8, redirect_stdout=False
            )
            self._live.start()
        else:
            self.console.print(self._title, soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, *, now: bool = False) -> None:
        """Look at the run if it is time to, or at once."""
        began = self._clock()
        if began < self._next_look and not now:
            return
        self.status = self._observer.look()
        ended = self._clock()
        self._next_look = ended + max(_SHORTEST, (ended - began) * (1 / _LOOKING - 1))
        for stage in self.status.stages:
            self._begun.setdefault(stage.name, began)
            if stage.done:
                self._ended.setdefault(stage.name, began)
        if self._live is None:
            self._print_line()

    @contextmanager
    def paused(self) -> Iterator["Console"]:
        """The terminal for something else, such as a question."""
        if self._live is not None:
            self._live.stop()
        yield self.console
        if self._live is not None:
            self._live.start()

    def _print_line(self) -> None:
        """A line where a stage begins or ends, and now and then between."""
        stages = self.status.stages
        if not stages:
            return
        last, line = stages[-1], tuple((stage.name, stage.done) for stage in stages)
        if line != self._line or (self._clock() - self._line_at > _LINE_EVERY):
            self._line, self._line_at = line, self._clock()
            self.console.print(f"{_time(self._elapsed()):>7}  {_counts(last)}{self._rest()}", soft_wrap=True)

    def _elapsed(self) -> float:
        return self._clock() - self._began

    def _rest(self) -> str:
        left = self.status.left
        name = printable(self.status.objective, keep="")
        parts = [f"best {name} {self.status.best:.4g}"] if self.status.best is not None else []
        parts += [f"front {self.status.front}"] if self.status.front else []
        parts += [f"about {_rounded(left)} left"] if left is not None and self.status.coming else []
        return "".join(f" · {part}" for part in parts)

    def _render(self) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        for stage in self.status.stages[-_ROWS:]:
            state: RenderableType = Text("✓", style="green") if stage.done else Spinner("dots", style="cyan")
            bar = ProgressBar(total=max(stage.total, 1), completed=stage.finished, width=24, complete_style="cyan")
            grid.add_row(
                state,
                stage.title,
                bar,
                f"{stage.finished}/{stage.total}",
                Text(_facts(stage), style="dim"),
                Text(f"{stage.failed} failed" if stage.failed else "", style="red"),
                Text(self._took(stage), style="dim"),
            )
        coming = self.status.coming
        for title in coming[: max(0, _ROWS - len(self.status.stages))]:
            grid.add_row(Text("·", style="dim"), Text(title, style="dim"))
        foot = Text(f"{_time(self._elapsed())} elapsed{self._rest()}")
        if not self.status.stages:
            foot = Text(f"{_time(self._elapsed())} elapsed · Airflow is starting")
        return Group(Text(self._title, style="bold"), grid, foot)

    def _took(self, stage: StageStatus) -> str:
        until = self._ended.get(stage.name, self._clock())
        return _time(until - self._begun.get(stage.name, until))


def _counts(stage: StageStatus) -> str:
    failed = f", {stage.failed} failed" if stage.failed else ""
    running = f", {stage.running} running" if stage.running else ""
    return f"{stage.title}: {stage.finished} of {stage.total} done{running}{failed}"


def _facts(stage: StageStatus) -> str:
    if stage.running:
        return f"{stage.running} running"
    return f"front {stage.front}" if stage.front is not None else ""


def _time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def _rounded(seconds: float) -> str:
    """An estimate that does not pretend to precision: to 5 s, and to minutes beyond two of them."""
    if seconds > 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{max(5, round(seconds / 5) * 5)} s" if seconds < 120 else f"{round(seconds / 60)} min"
