"""Adapters whose numbers or words are not what `save_adapter` wrote: refused in one line, never
believed.
"""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors.torch import save_file

from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError, FileError, MismatchError, ValueRangeError
from conceptbind.repairs.labclip import Adapter, load_adapter, save_adapter

WEIGHT = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    save_adapter(
        Adapter(
            WEIGHT, 1.5, {"encoder": "tiny", "revision": "abc", "protocol": "HNB", "pull": 0.4}
        ),
        tmp_path / "fit",
    )
    return tmp_path / "fit"


def refused(folder, error=ConceptBindError):
    with pytest.raises(error) as caught:
        load_adapter(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) <= 500
    return text


def put(folder, **tensors):
    """Other tensors, and a configuration that says nothing of what they hash to."""
    given = {"weight": torch.from_numpy(WEIGHT), "log_temperature": torch.ones(1), **tensors}
    save_file(given, folder / "adapter.safetensors")
    config = json.loads((folder / "config.json").read_text())
    config.pop("weights_hash", None)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, True, "1", None, 1j, 10**400])
def test_a_temperature_is_a_finite_number(number):
    with pytest.raises(ValueRangeError, match="log_temperature must be a finite number"):
        Adapter(WEIGHT, number)


@pytest.mark.parametrize(
    "weight",
    [
        WEIGHT > 0,
        WEIGHT.astype(complex),
        WEIGHT.astype(object),
        WEIGHT.astype(str),
        np.zeros((6, 4), np.float32),
    ],
)
def test_a_weight_holds_real_numbers_that_are_not_all_zero(weight):
    with pytest.raises(ValueRangeError, match="adapter's weight"):
        Adapter(weight, 0.0)


@pytest.mark.parametrize("temperature", [np.nan, np.inf])
def test_a_folder_with_such_a_temperature_is_refused(folder, temperature):
    put(folder, log_temperature=torch.tensor([temperature]))
    assert "log_temperature must be a finite number" in refused(folder, ValueRangeError)


@pytest.mark.parametrize(
    "kind",
    [
        torch.bool,
        torch.complex64,
        torch.bfloat16,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
        torch.int64,
        torch.int8,
        torch.uint8,
    ],
)
@pytest.mark.parametrize("name", ["weight", "log_temperature"])
def test_other_kinds_of_numbers_are_refused_by_name(folder, kind, name):
    if kind == torch.complex64 and "complex" not in str(safetensors.torch._SIZE):
        pytest.skip("this safetensors writes no complex numbers")
    put(
        folder, **{name: (torch.from_numpy(WEIGHT) if name == "weight" else torch.ones(1)).to(kind)}
    )
    assert f"{name} in" in refused(folder, ValueRangeError)


@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
def test_real_numbers_of_usual_widths_are_read(folder, kind):
    put(folder, weight=torch.from_numpy(WEIGHT).to(kind))
    np.testing.assert_allclose(load_adapter(folder).weight, WEIGHT, rtol=1e-3)


def test_what_single_precision_cannot_hold_is_refused(folder):
    put(folder, weight=torch.full((6, 4), 1e300, dtype=torch.float64))
    assert "finite" in refused(folder, ValueRangeError)


def test_one_flipped_bit_of_the_weight_is_noticed(folder):
    path = folder / "adapter.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    assert "is not what config.json was written for" in refused(folder, MismatchError)


def test_the_weights_of_another_adapter_are_noticed(folder, tmp_path):
    save_adapter(Adapter(WEIGHT * 2, 1.5, {}), tmp_path / "other")
    (folder / "adapter.safetensors").write_bytes(
        (tmp_path / "other" / "adapter.safetensors").read_bytes()
    )
    refused(folder, MismatchError)


def test_every_cut_of_the_weights_is_refused(folder):
    whole = (folder / "adapter.safetensors").read_bytes()
    for length in range(0, len(whole), 7):
        (folder / "adapter.safetensors").write_bytes(whole[:length])
        assert "is broken" in refused(folder, FileError)


@pytest.mark.parametrize("size", [2**63, 2**40, 0])
def test_a_header_that_claims_another_size_is_refused(folder, size):
    whole = (folder / "adapter.safetensors").read_bytes()
    (folder / "adapter.safetensors").write_bytes(struct.pack("<Q", size) + whole[8:])
    assert "is broken" in refused(folder, FileError)


WRONG = {
    "pull": ("0.4", True, 1.5, -0.1, [0.4], 10**400),
    "encoder": (5, ["tiny"]),
    "revision": (1.0,),
    "protocol": ({},),
    "scenes": ([],),
    "before": (0.5,),
    "after": ([],),
    "d_out": (None, 6.0, 0),
    "d_in": ("4", True, 10**12),
    "format": (2, "1"),
    "weights_hash": (7, "0" * 64),
}


@pytest.mark.parametrize(
    "change", [{name: value} for name, values in WRONG.items() for value in values], ids=str
)
def test_a_configuration_of_other_types_is_refused(folder, change):
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))
    assert "config.json" in refused(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe{",
        b"",
        b"null",
        b"7",
        b'"text"',
        b'{"d_out": 6, "d_in": 4, "pull": NaN}',
        b"{} trailing",
    ],
)
def test_a_configuration_that_is_none_is_refused(folder, content):
    (folder / "config.json").write_bytes(content)
    assert "config.json" in refused(folder)


def test_a_published_file_that_claims_more_than_it_holds_is_refused_before_it_is_unfolded(tmp_path):
    # 8 TiB
    torch.save({"linear.weight": torch.ones(1, 1).expand(2**20, 2**21)}, tmp_path / "bomb.pt")
    assert "would take 8.0 TiB" in refused(tmp_path / "bomb.pt")


def test_a_published_file_without_numbers_is_refused(tmp_path):
    torch.save({"linear.weight": torch.ones(2, 2, device="meta")}, tmp_path / "meta.pt")
    assert "meta" in refused(tmp_path / "meta.pt")


def test_published_float8_is_widened(tmp_path):
    torch.save(
        {"linear.weight": torch.tensor([[1.0, 0.5], [2.0, 4.0]]).to(torch.float8_e4m3fn)},
        tmp_path / "f8.pt",
    )
    np.testing.assert_array_equal(load_adapter(tmp_path / "f8.pt").weight, [[1.0, 0.5], [2.0, 4.0]])


def test_apply_says_so_in_one_line_and_ends_with_2(folder, tmp_path, capsys):
    np.save(tmp_path / "y.npy", np.ones((3, 4), np.float32))
    put(folder, weight=torch.from_numpy(WEIGHT).to(torch.bfloat16))
    assert (
        main(
            [
                "apply",
                str(folder),
                "--texts",
                str(tmp_path / "y.npy"),
                "--out",
                str(tmp_path / "o.npy"),
            ]
        )
        == 2
    )
    assert "they are BF16" in capsys.readouterr().err
    assert not (tmp_path / "o.npy").exists()
