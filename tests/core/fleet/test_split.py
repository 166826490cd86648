"""Splitting by files, by rows and by keys: each partition a file, with its keys and a digest, beside an MLTable."""

import hashlib

import pytest
import yaml

from tests.fleets import RAW, fleet_from
from windtunnel.errors import DefinitionError, WorkloadError
from windtunnel.fleet import split as splitting
from windtunnel.fleet.beginning import begin
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.split import split
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store


def split_of(tmp_path, **fields):
    fleet = fleet_from(tmp_path, **fields)
    ledger = begin(fleet, Ledger(open_store(str(tmp_path / "runs")), "toy", "run"), "session")
    return ledger, split(ledger, fleet)


def texts(ledger, partitions):
    return {each.name: ledger.store.get(ledger.path(each.path)).decode() for each in partitions}


def test_rows_with_equal_keys_make_a_partition_in_the_order_in_which_the_data_begins_them(tmp_path):
    ledger, partitions = split_of(tmp_path)
    assert texts(ledger, partitions) == {
        "tenant_1.csv": "tenant,region,sales\n1,north,10\n1,north,11\n",
        "tenant_2.csv": "tenant,region,sales\n2,south,20\n2,south,21\n",
        "tenant_3.csv": "tenant,region,sales\n3,north,30\n",
    }
    assert [partitions.keys_of(each) for each in partitions] == [{"tenant": "1"}, {"tenant": "2"}, {"tenant": "3"}]
    assert [each.rows for each in partitions] == [2, 2, 1]
    content = ledger.store.get(ledger.path(partitions[0].path))
    assert partitions[0].digest == hashlib.sha256(content).hexdigest()
    mltable = yaml.safe_load(ledger.store.get(ledger.path("data/partitions/MLTable")))
    assert mltable["paths"] == [{"file": f"./tenant_{number}.csv"} for number in (1, 2, 3)]
    assert list(Partitions.read(ledger)) == list(partitions)


def test_several_keys_make_a_name_by_default(tmp_path):
    _, partitions = split_of(tmp_path, split={"keys": ["region", "tenant"]})
    assert [each.name for each in partitions] == ["north-1.csv", "south-2.csv", "north-3.csv"]
    assert partitions.columns == ("region", "tenant")


def test_so_many_rows_make_a_partition_and_the_last_has_what_is_left(tmp_path):
    ledger, partitions = split_of(tmp_path, split={"rows": 2})
    assert [each.rows for each in partitions] == [2, 2, 1]
    assert texts(ledger, partitions)["part_000003.csv"] == "tenant,region,sales\n2,south,21\n"


def test_each_file_is_a_partition_and_hidden_ones_are_none(tmp_path):
    data = tmp_path / "data"
    for name in ("b/2.csv", "a.csv", ".hidden", "MLTable"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)
    ledger, partitions = split_of(tmp_path, data=str(data), split={"by": "files"})
    assert texts(ledger, partitions) == {"a.csv": "a.csv", "b/2.csv": "b/2.csv"}
    _, found = split_of(tmp_path / "other", data=str(data / "*" / "*.csv"), split={"by": "files"})
    assert [each.name for each in found] == ["2.csv"]


def test_data_may_be_in_a_store(tmp_path):
    store = open_store(str(tmp_path / "elsewhere"))
    store.put("tenants/a.csv", b"x\n1\n")
    for data, name in (
        (f"file://{tmp_path}/elsewhere", "tenants/a.csv"),
        (f"file://{tmp_path}/elsewhere/tenants/a.csv", "a.csv"),
    ):
        _, partitions = split_of(tmp_path / name.replace("/", "-"), data=data, split={"by": "files"})
        assert [each.name for each in partitions] == [name]


def test_fields_with_line_breaks_and_commas_stay_as_they_are_written(tmp_path):
    raw = 'tenant,note\r\n1,"a, ""b""\nc"\r\n2,plain'
    ledger, partitions = split_of(tmp_path, raw=raw)
    assert texts(ledger, partitions) == {
        "tenant_1.csv": 'tenant,note\n1,"a, ""b""\nc"\n',
        "tenant_2.csv": "tenant,note\n2,plain\n",
    }


def test_rows_beyond_memory_go_to_files(tmp_path, monkeypatch):
    monkeypatch.setattr(splitting, "_HELD", 12)
    ledger, partitions = split_of(tmp_path)
    assert texts(ledger, partitions)["tenant_2.csv"] == "tenant,region,sales\n2,south,20\n2,south,21\n"


def test_names_are_safe_for_paths_and_stay_apart(tmp_path):
    raw = "tenant,region,sales\n../x,a,1\n.x,a,1\n,a,1\n"
    _, partitions = split_of(tmp_path, raw=raw, split={"keys": ["tenant"]})
    names = [each.name for each in partitions]
    assert len(set(names)) == 3
    assert all("/" not in name and not name.startswith(".") for name in names)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": {"keys": ["tenat"]}}, r"split.keys: .*tenat: no such column \(did you mean 'tenant'\?\)"),
        ({"data": "/nowhere/raw.csv"}, "there is no file at /nowhere/raw.csv: set WINDTUNNEL_DATA"),
        ({"raw": ""}, "is empty"),
        ({"raw": "tenant,a\n1\n"}, "row 2: found 1 fields; allowed: 2"),
        ({"raw": "tenant,a\n"}, "holds nothing to split"),
        ({"raw": "tenant,a,tenant\n1,2,3\n"}, "tenant: the table has several columns of this name"),
        ({"raw": "PAR1\0\1"}, "raw.csv is no CSV file, for it holds null characters"),
    ],
)
def test_what_is_wrong_with_the_data_is_said(tmp_path, fields, message):
    with pytest.raises(WorkloadError, match=message):
        split_of(tmp_path, **fields)


def test_each_file_of_a_table_has_its_header_and_rows(tmp_path):
    for name, text in (("a.csv", "tenant,x\n1,2\n"), ("b.csv", "")):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text(text)
    with pytest.raises(WorkloadError, match=r"in/b.csv is empty: a table has a header and rows"):
        split_of(tmp_path, data=str(tmp_path / "in"))


def test_a_field_may_be_long(tmp_path):
    ledger, partitions = split_of(tmp_path, raw=f"tenant,note\n1,{'x' * 200_000}\n")
    assert len(texts(ledger, partitions)["tenant_1.csv"]) == 200_015


def test_a_split_that_is_there_is_not_made_again(tmp_path):
    ledger, partitions = split_of(tmp_path)
    (tmp_path / "raw.csv").write_text(RAW + "4,west,1\n")
    assert list(split(ledger, fleet_from(tmp_path, raw="tenant\n9\n"))) == list(partitions)


def test_a_table_of_another_systems_lines_becomes_plain_files(tmp_path):
    rows = [f"{tenant},{letter},{tenant}.5" for tenant in range(1, 13) for letter in "ABC"]
    raw = "\r\n".join(["tenant_id,feature,metric", *rows])  # without a line break at its end
    ledger, partitions = split_of(tmp_path, raw=raw, split={"keys": ["tenant_id"], "name": "tenant_{tenant_id}.csv"})
    assert texts(ledger, partitions) == {
        f"tenant_{tenant}.csv": "\n".join(["tenant_id,feature,metric", *rows[3 * tenant - 3 : 3 * tenant], ""])
        for tenant in range(1, 13)
    }


def test_a_name_lacks_no_key(tmp_path):
    with pytest.raises(DefinitionError, match="with each key in braces"):
        fleet_from(tmp_path, split={"keys": ["tenant", "region"], "name": "tenant_{tenant}.csv"})
