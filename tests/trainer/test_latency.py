import io
import threading
import time
import warnings

import pytest
import torch

from windtunnel_trainer import latency


def onnx_model(size):
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            torch.nn.Linear(size, size),
            (torch.zeros(1, size),),
            content,
            dynamo=False,
            input_names=["input"],
            dynamic_axes={"input": {0: "batch"}},
        )
    return content.getvalue()


def test_a_larger_model_takes_longer():
    small, large = latency.measure(onnx_model(2)), latency.measure(onnx_model(1500))
    assert 0 < small.median < large.median
    assert small.spread >= 0
    assert small.runs == latency.RUNS


def test_a_slow_model_is_run_less_often_but_not_too_rarely(monkeypatch):
    monkeypatch.setattr(latency, "SECONDS", 0.0)
    assert latency.measure(onnx_model(2)).runs == latency.FEWEST


def test_one_measurement_at_a_time_on_a_host():
    ends = []

    def hold():
        with latency._alone():
            held.set()
            time.sleep(0.3)  # for one who does not wait
            ends.append("other")

    held = threading.Event()
    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(120)
    with latency._alone():
        ends.append("mine")
    other.join()
    assert ends == ["other", "mine"]


@pytest.mark.parametrize("threads", [1, 2])
def test_sessions_use_the_threads_they_are_given(threads):
    options = latency.session(onnx_model(2), threads).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (threads, 1)
