"""A script trains a trial as it is."""

import json
import subprocess
import sys
import textwrap

import pytest

from tests.runs import is_alive
from windtunnel.errors import WorkloadError
from windtunnel.ledger import State
from windtunnel.stopping.rules import Judgement
from windtunnel_trainer import units
from windtunnel_trainer.failure import NoMetricsError, ScriptError
from windtunnel_trainer.reports import NotFiniteError
from windtunnel_trainer.verification import VerificationError

SAYS_ALL = """
    import json, os, sys
    print("accuracy=1")
    json.dump({"argv": sys.argv, "cwd": os.getcwd(), "env": dict(os.environ)}, open("seen.json", "w"))
"""


def seen(lab):
    """What a script that says all has seen."""
    folder = lab.ledger.trial_path("0123456789abcdef-e3", "artifacts/seen.json")
    return json.loads(lab.ledger.store.get(folder))


def test_by_default_each_parameter_is_a_flag(lab):
    made = lab(SAYS_ALL, {"keep": ["seen.json"]}, settings={"batch": 32, "name": "a b'c\"ü"})
    result = made.train({"lr": 0.1, "deep": True, "layers": [1, {"a": None}]})
    assert (result.state, result.objectives, result.epoch) == (State.COMPLETED, {"accuracy": 1}, 1)
    assert seen(made)["argv"] == [
        "train.py",
        "--batch=32",
        "--name=a b'c\"ü",
        "--lr=0.1",
        "--deep=true",
        '--layers=[1, {"a": null}]',
    ]


def test_arguments_have_placeholders(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("WINDTUNNEL_DATA", str(tmp_path))
    words = "--e {epochs} {epochs_done} -s{seed} {data} {output} {checkpoint} {params} '{{x}} {lr}' {flags}"
    made = lab(SAYS_ALL, {"arguments": words, "keep": ["seen.json"]}, settings={"batch": 32}, trial_seed=7)
    made.train()
    _, option, epochs, done, seed, data, output, checkpoint, params, literal, *flags = seen(made)["argv"]
    assert (option, epochs, done, seed, data, literal) == ("--e", "3", "0", "-s7", str(tmp_path), "{x} 0.1")
    assert flags == ["--batch=32"]
    assert output == f"{seen(made)['cwd']}/output"
    assert checkpoint.endswith("/checkpoint") and params.endswith(".json")


def test_parameters_come_as_a_file_or_as_variables_too(lab):
    made = lab(
        """
        import json, os, sys
        print(f"accuracy={json.load(open(sys.argv[1]))['lr'] + float(os.environ['lr']) + float(os.environ['TWICE'])}")
        """,
        {"arguments": ["{params}"], "style": "environment", "environment": {"TWICE": "{lr}"}},
    )
    assert made.train({"lr": 0.25}).objectives == {"accuracy": 0.75}


def test_a_script_of_another_language_is_run_by_its_command(lab):
    made = lab(
        "",
        {"file": "run.sh", "command": "bash -e", "arguments": ["{lr}", "a b"]},
        {"run.sh": '. ./part.sh\necho "accuracy: $1" >&2\n[ "$2" = "a b" ]\n', "part.sh": "true"},
    )
    assert made.train({"lr": 0.5}).objectives == {"accuracy": 0.5}


def test_a_module_is_run_without_a_file(lab, tmp_path):
    folder = tmp_path / "lab"
    made = lab(
        "",
        {"file": None, "command": "python -m pack.main --lr={lr}", "arguments": []},
        {"pack/__init__.py": "", "pack/main.py": "import sys; print('accuracy=' + sys.argv[1][5:])"},
    )
    assert made.definition.script.folder == str(folder)
    assert made.train({"lr": 0.5}).objectives == {"accuracy": 0.5}


def test_a_program_of_the_folder_can_be_executed(lab):
    made = lab("", {"file": None, "command": "./go"}, {"go": "#!/bin/sh\necho accuracy=2\n"})
    assert made.train().objectives == {"accuracy": 2}


def test_a_program_that_is_not_there_is_named(lab):
    made = lab("", {"command": "no-such-program"})
    with pytest.raises(WorkloadError, match=r"script\.command: 'no-such-program' cannot be started: No such file"):
        made.train()


def test_data_that_nobody_gives_are_left_out_and_told(lab, monkeypatch, capsys):
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)
    made = lab("import sys\nprint(f'accuracy={len(sys.argv)}')", {"arguments": "--data {data}"})
    assert made.train().objectives == {"accuracy": 1.0}
    assert "no folder of data is given" in capsys.readouterr().out


def test_the_helper_reports_and_prints_by_hand(lab):
    text = """
        from windtunnel.script import report
        for epoch in range(1, 4):
            report(epoch=epoch, accuracy=epoch / 10)
    """
    made = lab(text)
    made.train()
    assert made.curve("accuracy") == [(1, 0.1), (2, 0.2), (3, 0.3)]
    by_hand = subprocess.run([sys.executable, made.folder / "train.py"], capture_output=True, text=True, check=True)
    assert by_hand.stdout.splitlines()[0] == "epoch=1  accuracy=0.1"


def test_the_helper_needs_nothing_but_pythons_library(lab):
    text = "from windtunnel.script import report\nimport sys\nreport(accuracy='pydantic' in sys.modules)"
    python = [sys.executable, "-S", "-c", textwrap.dedent("import runpy; runpy.run_path('train.py')")]
    made = lab(text, {"file": None, "command": python})
    assert made.train().objectives == {"accuracy": 0}


def test_an_exit_code_is_told_with_the_scripts_name(lab):
    with pytest.raises(ScriptError, match=r"^train\.py ended with exit code 3$"):
        lab("raise SystemExit(3)").train()


def test_the_folder_that_a_script_ran_in_is_no_part_of_its_error(lab):
    with pytest.raises(ScriptError, match=r"exit code 1: FileNotFoundError: .* directory: 'none\.csv'$"):
        lab("import pathlib\npathlib.Path('none.csv').absolute().open()").train()


def test_an_error_of_a_script_is_told_by_the_last_line_that_it_wrote(lab):
    with pytest.raises(ScriptError, match=r"^train\.py ended with exit code 1: ValueError: no such layer$"):
        lab("print('accuracy=1')\nraise ValueError('no such layer')").train()


@pytest.mark.parametrize(("code", "said"), [("137", "exit code 137, which stands for SIGKILL"), ("1", "exit code 1$")])
def test_what_a_shell_says_of_a_signal_is_explained(lab, code, said):
    with pytest.raises(ScriptError, match=said):
        lab(f"raise SystemExit({code})").train()


def test_a_signal_is_told(lab):
    with pytest.raises(ScriptError, match=r"^train\.py was killed by SIGSEGV$"):
        lab("import os; os.kill(os.getpid(), 11)").train()


def test_a_metric_that_never_comes_is_named(lab):
    with pytest.raises(NoMetricsError, match=r"accuracy never came: .* a line such as accuracy=0\.9"):
        lab("print('nothing')").train()


def test_a_value_that_is_none_ends_the_script(lab):
    made = lab("import time\nprint('accuracy=nan', flush=True)\ntime.sleep(600)")
    with pytest.raises(NotFiniteError, match="accuracy is not finite at epoch 1"):
        made.train()


STUBBORN = """
    import os, signal, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pids = open({pids!r}, "w")
    print(os.getpid(), child.pid, file=pids, flush=True)
    def leave(*_):
        print("bye", file=pids, flush=True)
        raise SystemExit(0)
    signal.signal(signal.SIGTERM, leave)
    print("accuracy=0.1", flush=True)
    time.sleep(600)
"""


def test_a_stop_ends_the_script_and_its_children_politely(lab, tmp_path):
    pids = tmp_path / "pids"
    made = lab(STUBBORN.format(pids=str(pids)))
    made.stop = lambda reports: Judgement("bandit", 1, True, "too bad")
    result = made.train()
    assert (result.state, result.kind) == (State.STOPPED, "bandit")
    assert "no model: the script left no model.onnx" in result.message
    numbers, bye = pids.read_text().split("\n", 1)
    assert bye == "bye\n"
    for pid in map(int, numbers.split()):
        assert not is_alive(pid)


def test_a_script_that_will_not_go_is_killed(lab, monkeypatch):
    monkeypatch.setattr("windtunnel_trainer.script.processes.Processes.end.__defaults__", (0.2,))
    made = lab(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('accuracy=1', flush=True)\ntime.sleep(600)"
    )
    made.stop = lambda reports: Judgement("bandit", 1, True, "too bad")
    assert made.train().state == State.STOPPED


COUNTS = """
    import os, sys
    file = sys.argv[1] + "/epoch"
    done = int(open(file).read()) if os.path.exists(file) else 0
    assert done == int(sys.argv[3]), (done, sys.argv)
    for epoch in range(done + 1, int(sys.argv[2]) + 1):
        print(f"accuracy={epoch / 10 + done / 100:.2f}")
        open(file, "w").write(str(epoch))
        if epoch == 2 and sys.argv[4] == "fail" and not done:
            sys.exit(1)
"""
COUNTING = {"arguments": "{checkpoint} {epochs} {epochs_done} {how}"}
EPOCHS = {"partial": 3, "full": 6}


def test_a_checkpoint_lives_through_promotion_and_full_training(lab):
    made = lab(COUNTS, COUNTING, epochs=EPOCHS, settings={"how": "well"})
    made.train(epochs=3)
    result = made.train(epochs=6, continue_from="0123456789abcdef-e3")
    assert made.curve("accuracy", 6) == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.43), (5, 0.53), (6, 0.63)]
    assert (result.objectives, result.epoch) == ({"accuracy": 0.63}, 6)


def test_a_checkpoint_lives_through_a_restart(lab):
    made = lab(COUNTS, COUNTING, epochs=EPOCHS, settings={"how": "fail"})
    with pytest.raises(ScriptError):
        made.train()
    assert made.train().objectives == {"accuracy": 0.32}
    assert made.curve("accuracy") == [(1, 0.1), (2, 0.2), (3, 0.32)]


def test_a_script_that_ignores_its_checkpoint_replaces_the_earlier_epochs(lab):
    text = """
        import sys
        open(sys.argv[1] + "/x", "w").write("x")
        for epoch in range(1, int(sys.argv[2]) + 1):
            print(f"epoch={epoch} accuracy={epoch / 10 + int(sys.argv[2])}")
    """
    script = {"arguments": "{checkpoint} {epochs}", "metrics": {"accuracy": r"epoch=(?P<epoch>\d+) accuracy=(\S+)"}}
    made = lab(text, script, epochs=EPOCHS)
    made.train(epochs=3)
    made.train(epochs=4, continue_from="0123456789abcdef-e3")
    assert made.curve("accuracy", 4) == [(1, 4.1), (2, 4.2), (3, 4.3), (4, 4.4)]


def test_a_script_without_a_checkpoint_begins_again(lab):
    made = lab("print('accuracy=1')", {"arguments": "{epochs}"}, epochs=EPOCHS)
    made.train(epochs=3)
    made.train(epochs=6, continue_from="0123456789abcdef-e3")
    assert made.curve("accuracy", 6) == [(1, 1)]


def test_what_is_kept_lies_in_the_working_directory_and_is_the_scripts_own(lab):
    text = """
        import os
        os.makedirs("output/deep"); open("output/deep/a.txt", "w").write("a"); open("b.txt", "w").write("b")
        open("input.txt", "a").close(); os.symlink("/etc/passwd", "c.txt"); open(".d.txt", "w").close()
        print("accuracy=1")
    """
    made = lab(text, {"keep": ["**/*.txt"]}, {"input.txt": "x"})
    made.train()
    kept = [name for name in made.files() if name.startswith("artifacts/")]
    assert kept == ["artifacts/b.txt", "artifacts/output/deep/a.txt"]


def test_each_trial_works_in_a_copy_of_the_folder(lab):
    text = "print('accuracy=' + open('value.txt').read()); open('value.txt', 'w').write('0')"
    made = lab(text, files={"value.txt": "0.5"})
    assert [made.train(epochs=epochs).objectives for epochs in (1, 2)] == [{"accuracy": 0.5}] * 2
    assert (made.folder / "value.txt").read_text() == "0.5"


def test_a_file_of_results_is_read_at_the_end(lab):
    text = "import json; json.dump({'accuracy': 0.75, 'loss': 1}, open('output/all.json', 'w'))"
    made = lab(text, {"results": "output/all.json"})
    result = made.train()
    assert (result.metrics, result.epoch) == ({"accuracy": 0.75, "loss": 1}, 3)


def test_torch_s_variables_are_set_and_the_metric_counts_once(lab):
    text = """
        import os
        names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR")
        open("rank" + os.environ["RANK"], "w").write(" ".join(os.environ[name] for name in names))
        print("accuracy=" + os.environ["WORLD_SIZE"])
    """
    made = lab(text, {"keep": ["rank*"]}, resources={"gpus": 4})
    made.train()
    assert made.curve("accuracy") == [(1, 4)]
    paths = [made.ledger.trial_path("0123456789abcdef-e3", f"artifacts/rank{rank}") for rank in range(4)]
    assert [made.ledger.store.get(path).decode() for path in paths] == [f"{n} {n} 4 4 127.0.0.1" for n in range(4)]


def test_one_of_several_processes_that_fails_ends_the_others(lab):
    text = """
        import os, sys, time
        if os.environ["RANK"] == "1":
            sys.exit(5)
        time.sleep(600)
    """
    with pytest.raises(ScriptError, match="exit code 5"):
        lab(text, resources={"gpus": 2}).train()


def test_a_command_that_starts_its_own_processes_is_started_once(lab):
    made = lab("", {"file": None, "command": "sh -c 'echo accuracy={processes}'"}, resources={"gpus": 4})
    made.train()
    assert made.curve("accuracy") == [(1, 4)]


def test_a_daemon_that_holds_the_output_open_does_not_hold_the_trial(lab):
    text = """
        import subprocess
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        print("accuracy=1")
    """
    assert lab(text).train().objectives == {"accuracy": 1}


MODEL = """
    import onnx
    from onnx import helper
    x, y = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n"]) for name in ("input", "output"))
    graph = helper.make_graph([helper.make_node("Identity", ["input"], ["output"])], "same", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "model.onnx")
    print("accuracy=1")
"""
CHECK = """
    import os, sys
    from windtunnel.script import report
    assert open(sys.argv[1], "rb").read()
    report(size=os.path.getsize(sys.argv[1]))
    print("accuracy=0.5")
    raise SystemExit(int(sys.argv[2]))
"""


@pytest.mark.parametrize(("code", "state"), [(0, "verified"), (4, "failed")])
def test_a_model_that_is_left_is_checked_by_what_the_definition_names(lab, code, state):
    made = lab(MODEL, {"verify": "check.py {model} {code}"}, {"check.py": CHECK}, settings={"code": code})
    trained = made.train()
    assert "model.onnx" in made.files()
    request = made.ledger.begin_trial(made.request())
    if state == "verified":
        verified = units.verify(made.ledger, made.definition, request)
        assert (verified.trial, verified.metrics.keys()) == (f"verify-{trained.trial}", {"accuracy", "size"})
        return
    with pytest.raises(VerificationError, match=r"script\.verify: the check ended with exit code 4"):
        units.verify(made.ledger, made.definition, request)


def test_a_model_that_was_there_before_is_not_the_trials(lab):
    made = lab("print('accuracy=1')", files={"model.onnx": "x"})
    made.train()
    assert "model.onnx" not in made.files()


def test_a_file_that_is_no_model_is_told(lab):
    with pytest.raises(WorkloadError, match="this is no ONNX model"):
        lab("print('accuracy=1'); open('output/model.onnx', 'w').write('x')").train()


def test_a_stopped_script_may_leave_its_model(lab):
    made = lab(MODEL.replace("print(", "import time\n    print(").replace('=1")', '=1", flush=True); time.sleep(600)'))
    made.stop = lambda reports: Judgement("bandit", 1, True, "too bad")
    assert made.train().message == "too bad"
    assert "model.onnx" in made.files()


LINKS = """
    import os, sys
    folder, epochs, done = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    last = f"{folder}/last"
    assert (int(open(last).read()) if os.path.exists(last) else 0) == done
    os.mkdir(f"{folder}/{epochs}")
    open(f"{folder}/{epochs}/state", "w").write(str(epochs))
    if os.path.lexists(last):
        os.unlink(last)
    os.symlink(f"{folder}/{epochs}/state", last)  # with the whole path, as some libraries do
    if not done:
        os.mkfifo(f"{folder}/pipe")
    for epoch in range(done + 1, epochs + 1):
        print(f"accuracy={epoch / 10 + done}")
"""


def test_a_checkpoint_may_have_links_to_its_own_files_and_pipes(lab):
    made = lab(LINKS, {"arguments": "{checkpoint} {epochs} {epochs_done}"}, epochs=EPOCHS)
    made.train(epochs=3)
    made.train(epochs=6, continue_from="0123456789abcdef-e3")
    assert made.curve("accuracy", 6) == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 3.4), (5, 3.5), (6, 3.6)]
