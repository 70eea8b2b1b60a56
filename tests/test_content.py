"""What a run keeps is believed only as it was written: outcomes, fitted probes, cells of sweeps,
checked JSON.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from conceptbind.complexity.cells import Cell
from conceptbind.complexity.running import _file, _kept
from conceptbind.core.errors import FileError, ValueRangeError
from conceptbind.core.files import content_hash, read_checked_json, write_checked_json, write_whole
from conceptbind.core.outcomes import FILE, Outcome, load_outcomes, save_outcomes
from conceptbind.probes import fit_scene_probes
from conceptbind.probes.store import load_probes, save_probes
from conceptbind.scenes import split_scenes, text20
from planted import object_codes


def resaved(path, name, change):
    """A safetensors file with one array changed and all that is told about it kept."""
    with safe_open(path, framework="numpy") as file:
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        facts = file.metadata()
    arrays[name] = np.ascontiguousarray(change(arrays[name]))
    save_file(arrays, path, metadata=facts)


def test_outcomes(tmp_path):
    correct, tied = np.array([True, False, True]), np.zeros(3, dtype=bool)
    save_outcomes(tmp_path, [Outcome({"metric": "accuracy"}, correct, tied)], "items")
    kept = load_outcomes(tmp_path)
    assert (kept.found[0].right.tolist(), kept.items) == ([True, False, True], "items")
    resaved(tmp_path / FILE, "0.right", lambda values: ~values)
    with pytest.raises(FileError, match="its checksum does not fit"):
        load_outcomes(tmp_path)


def test_probes_that_changed_are_fitted_anew(tmp_path):
    scenes = text20(4, 4)
    probes = fit_scene_probes(object_codes(scenes, 24), scenes, split_scenes(scenes))
    save_probes(probes, tmp_path / "p.safetensors", "key")
    kept = load_probes(tmp_path / "p.safetensors", "key")
    assert kept is not None
    np.testing.assert_array_equal(kept.objects.weight, probes.objects.weight)
    resaved(tmp_path / "p.safetensors", "0.weight", lambda values: values[::-1])
    assert load_probes(tmp_path / "p.safetensors", "key") is None


def test_cells_that_changed_are_fitted_anew(tmp_path):
    cell = Cell("additive", None, 0.5, 0)
    path = _file(tmp_path, "key", cell)
    write_checked_json(path, {"cell": vars(cell), "rows": [{"value": 0.25}]})
    assert _kept(tmp_path, "key", cell) == [{"value": 0.25}]
    path.write_text(path.read_text().replace("0.25", "0.75"))
    assert _kept(tmp_path, "key", cell) is None


@pytest.mark.parametrize(
    "text",
    ["{}", "[]", "3", "{", '{"a": 2}', '{"a": 1, "checksum": 5}', '{"a": 1, "checksum": null}'],
)
def test_json_that_changed(tmp_path, text):
    path = tmp_path / "a.json"
    write_checked_json(path, {"a": 1, "b": [0.1, None, "é"]})
    assert read_checked_json(path) == {"a": 1, "b": [0.1, None, "é"]}
    path.write_text(json.dumps(json.loads(path.read_text())))  # another layout of the same content
    assert read_checked_json(path)["a"] == 1
    path.write_text(text)
    with pytest.raises(FileError, match=r"a\.json"):
        read_checked_json(path)


def test_half_characters_are_refused_where_text_is_hashed_or_written(tmp_path):
    for do in (content_hash, lambda text: write_whole(tmp_path / "a", text)):
        with pytest.raises(ValueRangeError, match=r"half of a character.*correct it"):
            do("a red \ud800 square")
    assert not list(tmp_path.iterdir())
