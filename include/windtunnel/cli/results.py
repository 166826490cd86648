"""Print all that is known of a run's trials, or of a fleet's partitions, as CSV or JSON.

Those that searched come first, in order, then the finalists' full trainings. In CSV a value has a column of its own,
such as `params.lr`, `objectives.val_acc` or `test.test_acc`. Lists, mappings, true, false and null are JSON, as is a
text that would be taken for one of them; an empty field is of what is not there. Text that a spreadsheet would take for
a formula has an apostrophe before it, and control characters are written out.
"""

import argparse
import csv
import json
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("url", metavar="URL", help="of the run: <store>/<search>/<run>, or its folder; or …/latest")
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--csv", action="store_true", help="a line for each trial, after one with the columns' names")
    form.add_argument("--json", action="store_true", help="one object, with the trials as a list")


def run(arguments: argparse.Namespace) -> int:
    """Read the run and print its trials."""
    from windtunnel.ledger.find import find_run
    from windtunnel.report import reader_of
    from windtunnel.report.export import flat, records
    from windtunnel.report.fleet import FleetSnapshot
    from windtunnel.report.fleet import text as fleet
    from windtunnel.text import csv_cell

    snapshot = reader_of(find_run(arguments.url)).read()
    if isinstance(snapshot, FleetSnapshot):
        rows, each = fleet.records(snapshot), "partition"
    else:
        rows, each = records(snapshot), "trial"
    if arguments.json:
        run = {"search": snapshot.search, "run": snapshot.run, "url": snapshot.url, "objectives": snapshot.objectives}
        print(json.dumps(run | {f"{each}s": rows}, indent=1))
        return 0
    columns = flat(rows)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow([csv_cell(name) for name in (columns[0] if columns else [each])])
    table.writerows([csv_cell(value) for value in row.values()] for row in columns)
    return 0
