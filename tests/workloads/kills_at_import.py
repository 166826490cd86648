"""A workload that takes its job down before any trial begins."""

import os
import signal
import sys

print("I am about to die")
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
