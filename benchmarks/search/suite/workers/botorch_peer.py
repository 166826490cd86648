"""BoTorch's qLogNEHVI and qLogNEI, as its tutorials set them up, over spaces of numbers alone."""

import json
import sys
import warnings

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.objective import GenericMCObjective
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from botorch.utils.multi_objective.pareto import is_non_dominated
from gpytorch.mlls import SumMarginalLogLikelihood

warnings.simplefilter("ignore")
torch.set_num_threads(1)
torch.set_default_dtype(torch.double)


def main() -> None:
    task = json.loads(sys.stdin.readline())
    if not all(column["number"] for column in task["columns"]):
        print('@"it has no numbers alone"', flush=True)
        return
    torch.manual_seed(task["seed"])
    size, m = len(task["columns"]), task["objectives"]
    sobol = torch.quasirandom.SobolEngine(size, scramble=True, seed=task["seed"])
    x, y = torch.empty(0, size), torch.empty(0, m + task["constraints"])
    print('@"ready"', flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if "ask" in message:
            n = message["ask"]
            points = sobol.draw(n).double() if len(x) < 2 * (size + 1) else suggested(x, y, m, n)
            print("@" + json.dumps(points.tolist()), flush=True)
            continue
        for point, one in zip(points, message["tell"], strict=True):
            if one is not None:
                values = torch.tensor([[-value for value in one["values"]] + one["excess"]])
                x, y = torch.cat([x, point[None]]), torch.cat([y, values])
        print("@1", flush=True)


def suggested(x: torch.Tensor, y: torch.Tensor, m: int, n: int) -> torch.Tensor:
    models = [SingleTaskGP(x, y[:, [i]], outcome_transform=Standardize(1)) for i in range(y.shape[1])]
    model = ModelListGP(*models)
    fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
    bounds = [lambda samples, i=i: samples[..., i] for i in range(m, y.shape[1])] or None
    feasible = (y[:, m:] <= 0).all(1)
    if m == 1:
        objective = GenericMCObjective(lambda samples, X=None: samples[..., 0])  # noqa: N803
        acquisition = qLogNoisyExpectedImprovement(
            model, x, objective=objective, constraints=bounds, prune_baseline=True
        )
    else:
        best = y[feasible if feasible.any() else slice(None), :m]
        acquisition = qLogNoisyExpectedHypervolumeImprovement(
            model,
            ref_point=infer_reference_point(best[is_non_dominated(best)], scale=0.1),
            X_baseline=x,
            objective=IdentityMCMultiOutputObjective(outcomes=list(range(m))),
            constraints=bounds,
            prune_baseline=True,
        )
    cube = torch.tensor([[0.0] * x.shape[1], [1.0] * x.shape[1]])
    options = {"batch_limit": 4, "maxiter": 100}
    points, _ = optimize_acqf(acquisition, cube, n, num_restarts=4, raw_samples=128, options=options, sequential=True)
    return points


main()
