"""Prints what extras need of requirements.lock, for pip: `python scripts/locked.py all,dev <requirements.lock`.

With `--without-hashes` it prints the others: packages whose build differs by machine, which take a step of their own.
"""

import sys


def needed(lock: str, extras: set[str], *, hashes: bool = True) -> str:
    """The packages of the lock that the extras need: those with hashes, or those without."""
    chosen, entry = [], []
    for line in lock.splitlines():
        if line.startswith("    # "):  # ends an entry, and says which extras it is for
            users = set(line.strip(" #").partition(";")[0].split(", "))
            if users & (extras | {"base"}) and hashes == any("--hash=" in each for each in entry):
                chosen += entry
            entry = []
        elif not line.startswith("#"):
            entry.append(line)
    return "".join(f"{line}\n" for line in chosen)


if __name__ == "__main__":
    extras, *options = sys.argv[1:]
    sys.stdout.write(needed(sys.stdin.read(), set(extras.split(",")), hashes=options != ["--without-hashes"]))
