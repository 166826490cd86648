"""Write the JSON Schema of definitions, for editors."""

import argparse
import sys
from pathlib import Path

from windtunnel.definition.schema import schema_text
from windtunnel.errors import DefinitionError

_FILES = {"search": "include/searches/schema.json", "fleet": "include/searches/fleet.schema.json"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", nargs="?", help="where to write it (schema.json in include/searches); - for stdout")
    parser.add_argument(
        "--kind", choices=list(_FILES), default="search", help="whether of searches or of fleets (%(default)s)"
    )
    parser.add_argument("--check", action="store_true", help="only tell whether the file is up to date")


def run(arguments: argparse.Namespace) -> int:
    """Write the schema, or compare it."""
    text = schema_text(arguments.kind)
    if arguments.file == "-":
        sys.stdout.write(text)
        return 0
    file = Path(arguments.file or _FILES[arguments.kind])
    if arguments.check:
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            return 0
        raise DefinitionError(
            f"{file} is out of date: write it with `python -m windtunnel schema {file} --kind {arguments.kind}`"
        )
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DefinitionError(f"FILE: cannot write {file}: {error.strerror}") from error
    return 0
