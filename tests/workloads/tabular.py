"""scikit-learn's and LightGBM's models on a small table, as the setting `kind` says; no torch, no epochs."""

import io

TORCH = False


def prepare(data):
    import numpy as np

    rng = np.random.default_rng(0)
    for split, size in (("train", 200), ("test", 50)):
        x = rng.normal(size=(size, 3))
        data.save(split, x=x, y=(x[:, 0] > 0).astype(int), z=x @ [1.0, 2.0, 3.0])


def train(trial):
    data = trial.load("train")
    x, y, z = data["x"], data["y"], data["z"]
    if trial.settings["kind"] == "linear":
        from sklearn.linear_model import LinearRegression

        model = LinearRegression().fit(x, z)
        trial.save_onnx(as_onnx(model, trial.settings.get("error", 0.0)))
        buffer = io.BytesIO()
        import numpy as np

        np.savez(buffer, weights=model.coef_, bias=model.intercept_)
        trial.save_model("model.npz", buffer.getvalue())
    elif trial.settings["kind"] == "boosted":
        from lightgbm import LGBMClassifier

        model = LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1).fit(x, y)
        trial.save_model("model.txt", model)
    trial.report(val_acc=0.5)


def as_onnx(model, error):
    """A linear model as ONNX, made by hand."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(model.coef_.reshape(3, 1).astype(np.float32), "weights")
    bias = numpy_helper.from_array(np.array([model.intercept_ + error], np.float32), "bias")
    nodes = [helper.make_node("MatMul", ["x", "weights"], ["m"]), helper.make_node("Add", ["m", "bias"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
        [weights, bias],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    return made.SerializeToString()


def verify(model):
    test = model.load("test")
    if model.settings["kind"] == "linear":
        import numpy as np

        with np.load(model.open("model.npz")) as saved:
            weights, bias = saved["weights"], saved["bias"]
        model.regression(lambda x: x @ weights + bias, test["x"], test["z"])
    elif model.settings["kind"] == "boosted":
        from lightgbm import Booster

        booster = Booster(model_file=model.open("model.txt").name)
        model.classification(booster, test["x"], test["y"])
    else:
        model.classification(lambda x: x[:, 0] > 0, test["x"], test["y"])
