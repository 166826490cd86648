"""Scripts in jobs: killed ones are started again, and a job that must go gives them time to save their state."""

import signal

import pytest

from tests.runs import is_alive, wait_until
from windtunnel.ledger import State

pytestmark = pytest.mark.slow

EPOCHS = {"partial": 3, "full": 6}
COUNTING = {"arguments": "{checkpoint} {epochs} {trace}"}
DIES = """
    import os, signal, sys, time
    file = sys.argv[1] + "/epoch"
    done = int(open(file).read()) if os.path.exists(file) else 0
    starts = open(sys.argv[3], "a")
    print(os.getpid(), file=starts, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: (open(file, "w").write(str(epoch)), os._exit(0)))
    for epoch in range(done + 1, int(sys.argv[2]) + 1):
        print(f"accuracy={epoch / 10 + done / 100:.2f}", flush=True)
        if epoch == 2 and not done:
            THEN
        open(file, "w").write(str(epoch))
"""


def test_a_script_that_is_killed_is_started_again_and_goes_on(lab, each_store, tmp_path):
    trace = tmp_path / "trace"
    text = DIES.replace("THEN", "os.kill(os.getpid(), signal.SIGKILL)")
    made = lab(text, COUNTING, epochs=EPOCHS, settings={"trace": str(trace)}, store=each_store)
    assert made.start_job().wait(300) == 0
    result = made.result()
    assert (result.state, result.attempts, result.objectives) == (State.COMPLETED, 2, {"accuracy": 0.31})
    assert made.curve("accuracy") == [(1, 0.1), (2, 0.21), (3, 0.31)]
    assert len(trace.read_text().split()) == 2


def test_a_script_that_is_always_killed_is_recorded_so(lab):
    text = "import os\nprint('hello', flush=True)\nos.kill(os.getpid(), 11)"
    made = lab(text, epochs=EPOCHS, limits={"trial_retries": 1})
    assert made.start_job().wait(300) == 0
    result = made.result()
    assert (result.state, result.kind) == (State.FAILED, "killed")
    assert "SIGSEGV; starts: 2" in result.message
    assert "hello" in result.log_tail


def test_a_job_that_must_go_gives_its_script_time(lab, tmp_path):
    trace = tmp_path / "trace"
    text = DIES.replace("THEN", "print('asleep', file=starts, flush=True); time.sleep(600)")
    made = lab(text, COUNTING, epochs=EPOCHS, settings={"trace": str(trace)})
    job = made.start_job()
    wait_until(lambda: trace.exists() and trace.read_text().endswith("asleep\n"))
    job.send_signal(signal.SIGTERM)
    assert job.wait(300) == 143
    assert not is_alive(int(trace.read_text().split()[0]))
    assert made.start_job().wait(300) == 0
    assert made.curve("accuracy") == [(1, 0.1), (2, 0.2), (3, 0.32)]


def test_a_script_that_takes_too_long_is_ended_with_its_children(lab, each_store, tmp_path):
    trace = tmp_path / "trace"
    text = f"""
        import os, subprocess, sys, time
        child = subprocess.Popen(["sleep", "600"])
        print(os.getpid(), child.pid, file=open({str(trace)!r}, "w"), flush=True)
        print("half.txt", file=open("half.txt", "w"), flush=True)
        print("accuracy=1", flush=True)
        time.sleep(600)
    """
    keeps = {"keep": ["*.txt"]}
    made = lab(text, keeps, {"given.txt": "x"}, epochs=EPOCHS, limits={"trial_time": 5}, store=each_store)
    assert made.start_job().wait(300) == 0
    assert (made.result().state, made.result().kind) == (State.FAILED, "timeout")
    assert [name for name in made.files() if name.startswith("artifacts/")] == ["artifacts/half.txt"]
    assert "accuracy=1" in made.result().log_tail
    assert not any(is_alive(int(pid)) for pid in trace.read_text().split())


USES = """
    import mmap, os, subprocess, sys, time
    own = sys.argv[1] == "own"
    shared = mmap.mmap(-1, 150 << 20)
    shared.write(b"x" * len(shared))
    for _ in range(3):
        if os.fork() == 0:
            kept = b"y" * len(shared) if own else sum(shared[0:len(shared):4096])
            time.sleep(600)
    print("accuracy=1", flush=True)
    time.sleep(600 if own else 2)
"""


@pytest.mark.parametrize(("memory", "state", "kind"), [("own", "failed", "out_of_memory"), ("shared", "completed", "")])
def test_a_scripts_processes_count_together_and_what_they_share_once(lab, memory, state, kind):
    made = lab(USES, {"arguments": "{memory}"}, settings={"memory": memory}, limits={"memory": 450 << 20})
    assert made.start_job(epochs=1).wait(300) == 0
    result = made.result(epochs=1)
    assert (result.state, result.kind) == (state, kind)
    if state == "failed":
        assert result.message.startswith("limits.memory, 471,859,200 bytes, ended it: it used ")
        assert result.peak_memory > 450 << 20
        assert "accuracy=1" in result.log_tail
