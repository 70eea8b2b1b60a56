"""Winoground, ColorSwap and ARO's regions give what they gave before they were descriptions: the
same hash of items, and records to the last digit.
"""

from __future__ import annotations

import pytest

from earlier_layouts import LAYOUTS, seen
from reference.kept import ELSEWHERE, VALUES, differences, machine, read

SHARED = "winoground_equal"
"""Two items share pictures and are one draw now, so that only the hash is as before."""


@pytest.fixture(scope="module")
def kept():
    return read("described")


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != SHARED])
def test_each_layout_gives_the_kept_records(layout, kept, tmp_path):
    pytest.importorskip("pyarrow")
    where, records, _ = kept
    mine = [row for row in records if row["layout"] == layout]
    found = [{"layout": layout, **row} for row in seen(layout, tmp_path / "data", tmp_path / "k")]
    compared = VALUES if where == machine() else ELSEWHERE
    assert len(mine) == len([row for row in found if row["control"] == "none"])
    told = differences(mine, [row for row in found if row["control"] == "none"], compared)
    assert not told, "\n".join(told)


def test_equal_pictures_inside_a_table_are_named_as_before(tmp_path):
    pytest.importorskip("pyarrow")
    found = seen(SHARED, tmp_path / "data", tmp_path / "k")
    assert {row["items"][:16] for row in found} == {"fbef5fb0408a9799"}
