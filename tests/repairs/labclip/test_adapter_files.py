"""Adapters as files: whole or refused, and nothing in them is ever run."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    MismatchError,
    ShapeError,
    UnsafeFileError,
    ValueRangeError,
)
from conceptbind.repairs.labclip import Adapter, load_adapter, save_adapter
from conceptbind.repairs.labclip import adapter as adapter_module

WEIGHT = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
CONFIG = {"encoder": "tiny", "revision": "abc", "protocol": "HNB", "before": {"binding": 0.5}}


@pytest.fixture
def folder(tmp_path):
    save_adapter(Adapter(WEIGHT, 1.5, CONFIG), tmp_path / "fit")
    return tmp_path / "fit"


def test_what_was_saved_is_loaded(folder):
    found = load_adapter(folder)
    np.testing.assert_array_equal(found.weight, WEIGHT)
    assert found.weight.dtype == np.float32
    assert found.log_temperature == 1.5
    assert CONFIG.items() <= found.config.items()
    assert load_adapter(str(folder)).config == found.config


def test_a_folder_holds_weights_configuration_and_card(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "adapter.safetensors",
        "config.json",
    ]
    tensors = load_file(folder / "adapter.safetensors")
    assert {name: (part.shape, part.dtype) for name, part in tensors.items()} == {
        "weight": ((6, 4), np.float32),
        "log_temperature": ((1,), np.float32),
    }
    config = json.loads((folder / "config.json").read_text())
    assert (config["d_out"], config["d_in"], config["encoder"]) == (6, 4, "tiny")
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: conceptbind")
    assert "6 x 4" in card and "- encoder: tiny" in card
    save_adapter(Adapter(WEIGHT, 0.0), folder, card="my card")
    assert (folder / "README.md").read_text() == "my card"


def test_other_precisions_and_orders_are_saved_as_plain_single_precision(tmp_path):
    for k, weight in enumerate(
        (
            WEIGHT.astype(np.float64),
            np.asfortranarray(WEIGHT),
            WEIGHT.T.copy().T,
            np.repeat(WEIGHT, 2, 0)[::2],
        )
    ):
        save_adapter(Adapter(weight, 0.0), tmp_path / str(k))
        np.testing.assert_array_equal(load_adapter(tmp_path / str(k)).weight, WEIGHT)


def test_a_folder_that_was_not_finished_is_no_adapter(tmp_path, monkeypatch):
    """The disk fills before the weights, which come last."""
    real = adapter_module.write_whole

    def full(path, content):
        if path.name == "adapter.safetensors":
            raise FileError("disk full")
        real(path, content)

    monkeypatch.setattr(adapter_module, "write_whole", full)
    with pytest.raises(FileError, match="disk full"):
        save_adapter(Adapter(WEIGHT, 0.0), tmp_path)
    assert (tmp_path / "config.json").is_file()
    with pytest.raises(
        FileError,
        match="is not an adapter: expected a folder with adapter.safetensors .* or a published .pt file",  # noqa: E501
    ):
        load_adapter(tmp_path)


def test_each_broken_part_is_named(folder):
    weights = (folder / "adapter.safetensors").read_bytes()
    for broken in (weights[:40], weights[:-3], b"", b"not safetensors at all"):
        (folder / "adapter.safetensors").write_bytes(broken)
        with pytest.raises(
            FileError,
            match="adapter.safetensors is broken .* fit the adapter again with conceptbind repair",
        ):
            load_adapter(folder)
    (folder / "adapter.safetensors").write_bytes(weights)
    (folder / "config.json").write_text("{")
    with pytest.raises(FileError, match="config.json is not valid JSON .* fit the adapter again"):
        load_adapter(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(FileError, match="is damaged: expected names and values, got list"):
        load_adapter(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FileError, match="could not read .*config.json"):
        load_adapter(folder)


@pytest.mark.parametrize(
    "tensors",
    [
        {"linear": WEIGHT},
        {"weight": WEIGHT},
        {"weight": WEIGHT, "log_temperature": np.zeros(1, np.float32), "more": WEIGHT},
        {"weight": WEIGHT[0].copy(), "log_temperature": np.zeros(1, np.float32)},
        {"weight": WEIGHT * np.nan, "log_temperature": np.zeros(1, np.float32)},
        {"weight": WEIGHT, "log_temperature": np.zeros(0, np.float32)},
    ],
    ids=["names", "missing", "more", "vector", "nan", "no number"],
)
def test_other_tensors_in_a_folder_are_refused(folder, tensors):
    save_file(tensors, folder / "adapter.safetensors")
    with pytest.raises(ConceptBindError):
        load_adapter(folder)


def test_weights_of_another_shape_than_the_folder_says_are_refused(folder):
    save_file(
        {"weight": WEIGHT[:, :2], "log_temperature": np.zeros(1, np.float32)},
        folder / "adapter.safetensors",
    )
    with pytest.raises(MismatchError, match=r"config.json says the weight is .* holds"):
        load_adapter(folder)


def test_a_place_that_cannot_be_written_or_read_is_named(folder, tmp_path):
    with pytest.raises(FileError, match="could not write"):
        save_adapter(Adapter(WEIGHT, 0.0), folder / "README.md" / "inside")
    with pytest.raises(FileError, match="nowhere is not an adapter"):
        load_adapter(tmp_path / "nowhere")
    with pytest.raises(FileError, match=r"missing\.pt: No such file"):
        load_adapter(tmp_path / "missing.pt")


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def trapped_files(folder, mark):
    tensors = {"linear.weight": torch.from_numpy(WEIGHT), "t": Trap(mark)}
    torch.save(tensors, folder / "zip.pt")
    torch.save(tensors, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(Trap(mark), folder / "whole.pth")
    (folder / "plain.bin").write_bytes(pickle.dumps(Trap(mark)))


@pytest.mark.parametrize("name", ["zip.pt", "legacy.pt", "whole.pth", "plain.bin"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, name):
    mark = tmp_path / "it ran"
    trapped_files(tmp_path, mark)
    with pytest.raises(
        UnsafeFileError,
        match=f"{name} holds more than tensors and could execute code, so it is not read",
    ):
        load_adapter(tmp_path / name)
    assert not mark.exists()
    if name == "plain.bin":
        pickle.loads((tmp_path / name).read_bytes())
    else:
        torch.load(tmp_path / name, weights_only=False)
    assert mark.is_dir()  # the trap was live


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        ({"linear.weight": torch.ones(2, 2), "t": 0.5}, UnsafeFileError, "must hold tensors only"),
        ([torch.ones(2, 2)], UnsafeFileError, "must hold tensors only"),
        (torch.ones(2, 2), UnsafeFileError, "must hold tensors only"),
        (
            {"weight": torch.ones(2, 2)},
            ValueRangeError,
            "expected the tensors linear.weight and t; found weight",
        ),
        (
            {"linear.weight": torch.ones(2, 2), "bias": torch.ones(2)},
            ValueRangeError,
            "found bias, linear.weight",
        ),
        ({}, ValueRangeError, "expected the tensors linear.weight and t"),
        ({"linear.weight": torch.ones(2)}, ShapeError, r"must be \(d_out, d_in\)"),
        (
            {"linear.weight": torch.full((2, 2), torch.nan)},
            ValueRangeError,
            "weight in .* must be finite",
        ),
        (
            {"linear.weight": torch.ones(2, 2), "t": torch.tensor(torch.nan)},
            ValueRangeError,
            "t in .* must be finite",
        ),
        (
            {"linear.weight": torch.ones(2, 2), "t": torch.tensor(True)},
            ValueRangeError,
            "t in .* must be a dense tensor of real numbers",
        ),
        (
            {"linear.weight": torch.ones(2, 2), "t": torch.tensor(1j)},
            ValueRangeError,
            "it is torch.strided of torch.complex64",
        ),
        ({"linear.weight": torch.eye(2).to_sparse()}, ValueRangeError, "it is torch.sparse_coo"),
        (
            {"linear.weight": torch.ones(2, 2), "t": torch.ones(3)},
            ShapeError,
            r"t in .* must be one number; it has shape \(3,\)",
        ),
    ],
)
def test_published_files_with_anything_else_are_refused(tmp_path, content, error, says):
    torch.save(content, tmp_path / "file.pt")
    with pytest.raises(error, match=says):
        load_adapter(tmp_path / "file.pt")


def test_published_files_are_read_in_the_forms_that_torch_writes(tmp_path):
    weight, t = torch.from_numpy(WEIGHT), torch.tensor(2.0)
    forms = {
        "plain": {"linear.weight": weight, "t": t},
        "parameters": {
            "linear.weight": torch.nn.Parameter(weight),
            "t": torch.nn.Parameter(t[None]),
        },
        "double": {"linear.weight": weight.double(), "t": t.double()},
    }
    for name, tensors in forms.items():
        torch.save(tensors, tmp_path / f"{name}.pt")
        found = load_adapter(tmp_path / f"{name}.pt")
        np.testing.assert_array_equal(found.weight, WEIGHT)
        assert found.weight.dtype == np.float32
        assert found.log_temperature == 2.0
        assert found.config["file"] == f"{name}.pt"
    torch.save({"linear.weight": weight.bfloat16()}, tmp_path / "half.pt")
    np.testing.assert_allclose(load_adapter(tmp_path / "half.pt").weight, WEIGHT, rtol=1e-2)


@pytest.mark.parametrize("part", [slice(0, 0), slice(0, 100), slice(0, -20), slice(50, None)])
def test_a_broken_published_file_is_refused_and_named(tmp_path, part):
    torch.save({"linear.weight": torch.ones(6, 4)}, tmp_path / "file.pt")
    (tmp_path / "file.pt").write_bytes((tmp_path / "file.pt").read_bytes()[part])
    with pytest.raises((FileError, UnsafeFileError), match="file.pt"):
        load_adapter(tmp_path / "file.pt")
