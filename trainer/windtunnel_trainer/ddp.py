"""A model for several processes: torch's DistributedDataParallel, and batch norms over the parts of a batch."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import all_reduce, get_world_size
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel


def wrap(model: nn.Module, in_parts: Callable[[], bool], **options: Any) -> DistributedDataParallel:
    """The model with its gradients averaged over all processes, and batch norms that see the whole batch.

    Args:
        model: on its device.
        in_parts: whether each process has but its part of the present batch.
        **options: of `DistributedDataParallel`.
    """
    model = _share_norms(model, in_parts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the option has a new name, which older versions lack
        # Batch norms keep their buffers equal by themselves; without a broadcast, one process may evaluate alone.
        return DistributedDataParallel(model, **{"broadcast_buffers": False} | options)


def unwrap(item: Any) -> Any:
    """The model that was compiled or spread over devices; anything else as it is."""
    while True:
        if isinstance(item, (DistributedDataParallel, nn.DataParallel)):
            item = item.module
        elif isinstance(item, nn.Module) and "_orig_mod" in item._modules:  # torch.compile's, which is slow to import
            item = item._modules["_orig_mod"]
        else:
            return item


class _OnGpu(nn.SyncBatchNorm):
    """Torch's own batch norm over the parts of a batch."""

    in_parts: Callable[[], bool]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.in_parts() else _BatchNorm.forward(self, x)


class _OnCpu(_BatchNorm):
    """The same on a CPU, for which torch has none."""

    in_parts: Callable[[], bool]

    def forward(self, x: Tensor) -> Tensor:
        return self._normalised(x) if self.training and self.in_parts() else super().forward(x)

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of dimensions, as the batch norm that it replaces has checked its own."""

    def _normalised(self, x: Tensor) -> Tensor:
        axes = [0, *range(2, x.dim())]
        shape = [1, -1] + [1] * (x.dim() - 2)
        count = x.numel() // x.size(1) * get_world_size()
        mean = _total(x.sum(axes)) / count
        centred = x - mean.view(shape)
        variance = _total(centred.square().sum(axes)) / count
        self._note(mean.detach(), variance.detach() * (count / (count - 1)))
        y = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.weight is None:
            return y
        return y * self.weight.view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as torch does."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def _total(value: Tensor) -> Tensor:
    total: Tensor = _Total.apply(value)  # type: ignore[no-untyped-call]
    return total


class _Total(torch.autograd.Function):
    """The sum over all processes; every process's loss depends on it, so its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return _summed(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _summed(gradients[0])


def _summed(value: Tensor) -> Tensor:
    total = value.clone()
    all_reduce(total)
    return total


def _share_norms(module: nn.Module, in_parts: Callable[[], bool]) -> nn.Module:
    """Replace the batch norms in a module, in place; their parameters and buffers stay the same objects."""
    for name, child in module.named_children():
        setattr(module, name, _share_norms(child, in_parts))
    if not isinstance(module, _BatchNorm):
        return module
    on_gpu = module.running_mean is not None and module.running_mean.is_cuda
    shared = _OnGpu(module.num_features) if on_gpu else _OnCpu(module.num_features)
    shared.__dict__.update(module.__dict__ | {"in_parts": in_parts, "process_group": None})
    return shared
