"""The processes that train one trial together, as each of them sees them."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from windtunnel.errors import WorkloadError

if TYPE_CHECKING:
    import torch


class ProcessGroup:
    """The processes that train one trial together, as one of them sees them; a lone process shares nothing.

    Attributes:
        rank: this process's number; the first, 0, speaks for all.
        size: how many they are.
        whole: whether each has the whole of the present batch rather than its part.
    """

    def __init__(self) -> None:
        """The group that `windtunnel_trainer.ranks` started, if it did; else this process alone."""
        self.rank, self.size = 0, 1
        if "torch" in sys.modules:
            from torch import distributed

            if distributed.is_available() and distributed.is_initialized():
                self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.whole = True
        self._wrapped = False

    @property
    def leads(self) -> bool:
        """Whether this is the process that speaks for all."""
        return self.rank == 0

    @property
    def device(self) -> "torch.device":
        """This process's: its own GPU, where there are any."""
        import torch

        return torch.device("cuda", self.rank) if torch.cuda.is_available() else torch.device("cpu")

    def wrap(self, model: "torch.nn.Module", **options: Any) -> "torch.nn.Module":
        """The model with its gradients averaged over all, and its batch norms' statistics those of whole batches."""
        self._wrapped = True
        if self.size == 1:
            return model
        from windtunnel_trainer.ddp import wrap

        return wrap(model, lambda: not self.whole, **options)

    def unwrap(self, item: Any) -> Any:
        """The model that was compiled or spread over devices; anything else as it is."""
        if "torch" not in sys.modules:
            return item
        from windtunnel_trainer.ddp import unwrap

        return unwrap(item)

    def part(self, examples: int) -> slice:
        """This process's part of a batch. Parts are equal, so that the mean of their means is the batch's mean.

        A batch that cannot be shared equally, such as an epoch's last, is trained on whole by every process.

        Raises:
            WorkloadError: gradients are not averaged, for `wrap` was never called.
        """
        if self.size == 1:
            return slice(0, examples)
        if not self._wrapped:
            raise WorkloadError(
                f"{self.size} processes train this trial, so train() must call model = trial.wrap(model)"
            )
        each, rest = divmod(examples, self.size)
        self.whole = rest != 0
        return slice(0, examples) if self.whole else slice(self.rank * each, (self.rank + 1) * each)

    def total(self, terms: dict[str, Any], weight: float) -> tuple[dict[str, Any], Any]:
        """Sums over the parts of the present batch, and their weight; a tensor is not waited for."""
        if self.whole:
            return terms, weight
        import torch

        values = [
            torch.as_tensor(value, dtype=torch.float64, device=self.device) for value in (*terms.values(), weight)
        ]
        sums = torch.stack([value.reshape(()) for value in values])
        torch.distributed.all_reduce(sums)
        return dict(zip(terms, sums[:-1], strict=True)), sums[-1]

    def say(self, text: str) -> None:
        """Write a line to the trial's log, once for all of them."""
        if self.leads:
            with suppress(OSError, ValueError):  # a workload may have closed it
                print(text, flush=True)  # noqa: T201  (the log is the process's own output)

    def agree(self, value: Any) -> Any:
        """The first process's value, in all of them."""
        if self.size == 1:
            return value
        import torch

        held = [value]
        torch.distributed.broadcast_object_list(held, src=0, device=self.device)
        return held[0]
