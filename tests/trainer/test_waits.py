"""A wait for a full disk that several threads of a process tell."""

from concurrent.futures import ThreadPoolExecutor

from windtunnel_trainer.waits import Waits


def test_a_process_waits_as_long_as_one_of_its_threads_does():
    waits, seen = Waits(), []
    with ThreadPoolExecutor(1) as saving, ThreadPoolExecutor(1) as reporting:
        for thread in (saving, reporting, saving, saving, reporting, saving):
            thread.submit(waits.tell, "it waits, or goes on").result()
            seen.append(bool(waits))
    assert seen == [True, True, True, True, True, False]
