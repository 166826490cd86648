"""One epoch's steps: each taken once, in the same order, however often training was cut off."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from windtunnel.errors import WorkloadError
from windtunnel.ledger.ids import steps
from windtunnel_trainer.checkpoints import TrainingState
from windtunnel_trainer.process_group import ProcessGroup
from windtunnel_trainer.seeds import generator, generator_states, restore_generators, seed_everything

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
        progress: TrainingState,
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

    def require_end(self) -> None:
        """See that the epoch's steps were taken.

        Raises:
            WorkloadError: some were not.
        """
        if self._progress.position == "within":
            raise WorkloadError(
                f"epoch {self.index} ended after {self._progress.step - self.first} of its {self.last - self.first} "
                "steps: take them all from epoch.batches(…) or epoch.take(…)"
            )

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


def target_step(progress: TrainingState, steps_per_epoch: int, epochs: float) -> int:
    """The step at which a trial of so many epochs ends; the progress takes note of an epoch's steps.

    Raises:
        WorkloadError: an epoch has no steps, or the progress comes from other epochs or from beyond the target.
    """
    if steps_per_epoch < 1:
        raise WorkloadError(f"an epoch of {steps_per_epoch} steps: is there any training data?")
    if progress.steps_per_epoch not in (None, steps_per_epoch):
        raise WorkloadError(f"the checkpoint's epochs have {progress.steps_per_epoch} steps, not {steps_per_epoch}")
    progress.steps_per_epoch = steps_per_epoch
    target = steps(epochs, steps_per_epoch)
    if progress.step > target:
        raise WorkloadError(f"the checkpoint is at step {progress.step}, beyond the trial's {target}")
    return target


def begin_epoch(progress: TrainingState, seed: int, *, target: int, epochs: float, group: ProcessGroup) -> Epoch:
    """Begin the next epoch, or go on within one; the global generators are seeded for it.

    Args:
        progress: of the training, with its epochs' steps.
        seed: of the training.
        target: the step at which the trial ends.
        epochs: how many epochs are done there.
        group: the processes that train together.
    """
    per_epoch = progress.steps_per_epoch or 1
    if progress.position == "within":
        index = (progress.step - 1) // per_epoch
    else:
        index, progress.sums, progress.generators = progress.step // per_epoch, {}, None
    progress.position = "within"
    seed_everything(seed, index)
    return Epoch(progress, index, seed, target=target, epochs=epochs, group=group)
