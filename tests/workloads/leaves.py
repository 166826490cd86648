"""A workload that ends the process where it is imported, as a script does that lacks something."""

import sys

sys.exit("please set a folder")
