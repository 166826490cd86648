"""MLTable files, by which Azure ML and its package `mltable` read a folder of tables or files."""

from collections.abc import Iterable
from typing import Any

import yaml

NAME = "MLTable"  # the file's, in the folder that it describes


def of_files(files: Iterable[str], *, delimited: bool) -> bytes:
    """The MLTable of these files.

    Args:
        files: paths or patterns below its folder.
        delimited: whether they are CSV files with the same header, rather than files of any kind.
    """
    paths = [{"pattern" if "*" in file else "file": f"./{file}"} for file in files]
    table: dict[str, Any] = {"type": "mltable", "paths": paths}
    if delimited:
        read = {"delimiter": ",", "encoding": "utf8", "header": "all_files_same_headers", "support_multi_line": True}
        table["transformations"] = [{"read_delimited": read}]
    return yaml.safe_dump(table, sort_keys=False).encode()
