"""`python -m windtunnel_airflow.run`."""

import sys

from windtunnel_airflow.run.command import main

if __name__ == "__main__":
    sys.exit(main())
