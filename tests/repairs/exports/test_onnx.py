"""The graph computes what the adapter computes, in a runtime that knows nothing of it."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from conceptbind.core.errors import FileError, MissingExtraError
from conceptbind.repairs.exports import export_onnx
from conceptbind.repairs.exports.onnx import IR_VERSION, OPSET

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(path, texts):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [(value.name, value.shape) for value in session.get_inputs()] == [
        ("texts", ["n", texts.shape[1]])
    ]
    (mapped,) = session.run(["mapped"], {"texts": texts})
    return mapped


def rows(n, width, seed=1):
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


@pytest.mark.parametrize("shape", [(16, 16), (5, 24), (24, 5), (1, 1)], ids=str)
@pytest.mark.parametrize("n", [0, 1, 300])
def test_the_graph_gives_the_plain_product_divided_by_its_length(make_adapter, tmp_path, shape, n):
    adapter, texts = make_adapter(*shape), rows(n, shape[1])
    export_onnx(adapter, tmp_path / "adapter.onnx")
    mapped = run(tmp_path / "adapter.onnx", texts)
    product = texts.astype(np.float64) @ adapter.weight.T
    np.testing.assert_allclose(
        mapped, product / np.linalg.norm(product, axis=1, keepdims=True), atol=1e-6
    )
    np.testing.assert_allclose(mapped, adapter(texts), atol=1e-6)
    assert mapped.dtype == np.float32


def test_a_row_of_zeros_gives_zeros_and_its_neighbours_are_right(make_adapter, tmp_path):
    adapter, texts = make_adapter(6, 8), rows(3, 8)
    texts[1] = 0
    export_onnx(adapter, tmp_path / "adapter.onnx")
    mapped = run(tmp_path / "adapter.onnx", texts)
    np.testing.assert_array_equal(mapped[1], np.zeros(6))
    np.testing.assert_allclose(mapped[[0, 2]], adapter(texts[[0, 2]]), atol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e3, 1e30])
def test_the_scale_of_a_row_does_not_matter(make_adapter, tmp_path, scale):
    adapter, texts = make_adapter(6, 8), rows(4, 8)
    export_onnx(adapter, tmp_path / "adapter.onnx")
    np.testing.assert_allclose(
        run(tmp_path / "adapter.onnx", texts * np.float32(scale)), adapter(texts), atol=1e-6
    )


def test_the_file_states_its_versions_and_what_it_was_fitted_on(make_adapter, tmp_path):
    export_onnx(
        make_adapter(3, 4, encoder="tiny", revision="0123", before="0.5"),
        tmp_path / "deep" / "adapter.onnx",
    )
    model = onnx.load(tmp_path / "deep" / "adapter.onnx")
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "encoder": "tiny",
        "revision": "0123",
    }
    assert (
        [(opset.domain, opset.version) for opset in model.opset_import]
        == [("", OPSET)]
        == [("", 18)]
    )
    assert model.ir_version == IR_VERSION
    # nothing is left beside it
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["adapter.onnx"]


def test_the_same_adapter_gives_the_same_bytes(make_adapter, tmp_path):
    for name in ("a", "b"):
        export_onnx(make_adapter(3, 4, encoder="tiny"), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_place_that_cannot_be_written_is_an_error_that_says_so(make_adapter, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="could not write"):
        export_onnx(make_adapter(3, 4), tmp_path / "file" / "adapter.onnx")


def test_without_onnx_the_extra_is_named(make_adapter, tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name == "onnx":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(
        MissingExtraError, match=r"an ONNX graph of an adapter needs .*'conceptbind\[onnx\]'"
    ):
        export_onnx(make_adapter(3, 4), tmp_path / "adapter.onnx")
