import io
import multiprocessing
import threading
import time
import warnings

import pytest
import torch

from trainer import latency


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


def _hold(started, release):
    with latency._alone():
        started.set()
        release.wait(30)


def test_one_measurement_at_a_time_on_a_host():
    context = multiprocessing.get_context("spawn")
    started, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(started, release))
    other.start()
    assert started.wait(60)
    timer = time.monotonic()
    threading.Timer(0.3, release.set).start()
    with latency._alone():
        assert time.monotonic() - timer >= 0.29
    other.join()


@pytest.mark.parametrize("threads", [1, 2])
def test_sessions_use_the_threads_they_are_given(threads):
    options = latency.session(onnx_model(2), threads).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (threads, 1)
