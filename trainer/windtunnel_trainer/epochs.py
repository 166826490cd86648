"""One epoch's steps: each taken once, in the same order, however often training was cut off."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from windtunnel.errors import WorkloadError
from windtunnel_trainer.checkpoints import Progress
from windtunnel_trainer.process_group import ProcessGroup
from windtunnel_trainer.seeds import generator, generator_states, restore_generators

T = TypeVar("T")


class Epoch:
    """One epoch's share of the training.

    Attributes:
        index: counted from 0.
        first: the first optimiser step that is left to do in it, counted from 0 over the whole training.
        last: the step to end before: the epoch's end or the trial's, whichever comes first.
        value: how many epochs are done at its end.
        complete: whether it ends where the epoch ends; a schedule that moves by epochs moves only then.
    """

    def __init__(
        self,
        progress: Progress,
        index: int,
        seed: int,
        *,
        target: int,
        epochs: float,
        group: ProcessGroup | None = None,
    ) -> None:
        """What is left of an epoch.

        Args:
            progress: of the training; taking steps moves it.
            index: of the epoch, counted from 0.
            seed: of the training.
            target: the step at which the trial ends.
            epochs: how many epochs are done there.
            group: the processes that train together; by default this one alone.
        """
        self._group = group or ProcessGroup()
        self._progress = progress
        self._seed = seed
        self.index = index
        self.steps_per_epoch = progress.steps_per_epoch or 1
        self.first = progress.step
        self.last = min(target, (index + 1) * self.steps_per_epoch)
        self.value = epochs if self.last == target else float(index + 1)
        self.complete = self.value == index + 1

    def batches(self, examples: int, batch_size: int) -> Iterator[npt.NDArray[np.int64]]:
        """Indices of the examples of each batch that is left, in an order that depends on (seed, epoch) alone.

        Where several processes train, each gets its part of every batch.

        Raises:
            WorkloadError: the epoch has more steps than there are batches.
        """
        if examples <= (self.steps_per_epoch - 1) * batch_size:
            raise WorkloadError(
                f"{examples} examples are no {self.steps_per_epoch} batches of {batch_size}: "
                "give trial.epochs() the number of batches"
            )
        order = generator(self._seed, self.index, 1).permutation(examples)
        for step in self._steps():
            start = step % self.steps_per_epoch * batch_size
            batch = order[start : start + batch_size]
            yield batch[self.part(len(batch))]

    def part(self, examples: int) -> slice:
        """The part of the present batch that this process trains on: all of it, unless several train.

        `batches` applies it; what comes from `take` is whole until you do: `x, y = x[part], y[part]`.

        Args:
            examples: of the whole batch.

        Raises:
            WorkloadError: several processes train, and the model is not wrapped.
        """
        return self._group.part(examples)

    def take(self, loader: Iterable[T]) -> Iterator[T]:
        """The items of a loader that are left: those that a checkpoint has seen are passed over.

        The loader must draw its order from the global generators, or from a seed of its own and the epoch.

        Raises:
            WorkloadError: the loader ends too soon.
        """
        items = iter(loader) if self.first < self.last else iter(())
        for _ in range(self.first % self.steps_per_epoch if self.first < self.last else 0):
            next(items, None)
        for step in self._steps():
            try:
                yield next(items)
            except StopIteration:
                raise WorkloadError(
                    f"the loader gave fewer than the {self.steps_per_epoch} steps of an epoch (ended at {step})"
                ) from None

    def add(self, weight: float = 1.0, **values: Any) -> None:
        """Add to the epoch's running means, such as the loss of a batch; a tensor is not waited for."""
        terms = {
            name: (value.detach().double() if hasattr(value, "detach") else float(value)) * weight
            for name, value in values.items()
        }
        terms, weight = self._group.total(terms, weight)
        for name, term in terms.items():
            total, weights = self._progress.sums.get(name, (0.0, 0.0))
            self._progress.sums[name] = (total + term, weights + weight)

    def means(self) -> dict[str, float]:
        """The means of what was added since the epoch began, also before a checkpoint."""
        return {name: float(total) / float(weight) for name, (total, weight) in self._progress.sums.items() if weight}

    def _steps(self) -> Iterator[int]:
        progress = self._progress
        # What ran since the epoch began (a loader's start, skipped items) drew numbers: training goes on where it was.
        if progress.generators is not None:
            restore_generators(progress.generators)
            progress.generators = None
        for step in range(self.first, self.last):
            progress.step = step + 1
            self._group.whole = True
            yield step
        self._group.whole = True
        # An evaluation may draw numbers, and a longer training does not evaluate here: note the states before it.
        progress.generators = None if self.complete else generator_states()
        progress.position = "between" if self.complete else "early"
