"""Train the best of a run again, on all training posts: the last step of Azure ML's lab.

python retrain.py runs/newsgroups/RUN [arguments of train.py]
"""

import subprocess
import sys
from pathlib import Path

import windtunnel as wt

if __name__ == "__main__":
    best = wt.open_run(sys.argv[1]).best
    flags = [f"--{name}={value}" for name, value in best.params.items()]
    print(f"{best.objectives['accuracy']:.4f} with {' '.join(flags)}", flush=True)
    script = Path(__file__).with_name("train.py")
    subprocess.run([sys.executable, script, *flags, "--final", *sys.argv[2:]], check=True)
