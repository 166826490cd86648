"""A workload that ends the process without a word where it is imported; one that it has forked may."""

import os

if os.fork() == 0:
    os._exit(0)
os._exit(0)
