"""An adapter as an ONNX graph, for services that run without Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import MissingExtraError
from conceptbind.core.files import user_path, write_whole

if TYPE_CHECKING:
    from types import ModuleType

    from conceptbind.repairs.labclip.adapter import Adapter

OPSET = 18
"""The first in which every reduction takes its axes as an input; read by onnxruntime 1.14 and
later."""
IR_VERSION = 8
"""The file format that came with this opset. Writing the newest would shut out older runtimes and
gain nothing."""
METADATA = ("encoder", "revision", "protocol")
"""What of the adapter's config the file says about itself."""


@explains_arguments
def export_onnx(adapter: Adapter, path: str | Path) -> None:
    """Write a graph that maps `texts` (n, d_in) float32 to `mapped` (n, d_out), rows of unit
    length, for any n.

    It computes what `Adapter` computes. A row of zeros has no direction: the adapter refuses it,
    the graph gives zeros, never NaN.

    Args:
        adapter: the map.
        path: the file, usually `*.onnx`; it appears whole.

    Raises:
        MissingExtraError: onnx is not installed.
        FileError: the file cannot be written.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("onnx", "onnx", "an ONNX graph of an adapter") from error
    model = _model(onnx, adapter)
    onnx.checker.check_model(model, full_check=True)
    write_whole(user_path(path), model.SerializeToString())


def _model(onnx: ModuleType, adapter: Adapter) -> Any:
    """The graph and what it says about itself."""
    node, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    d_out, d_in = adapter.weight.shape
    constants = [
        # (d_in, d_out)
        tensor(np.ascontiguousarray(adapter.weight.T, dtype=np.float32), "weight_t"),
        tensor(np.array([1], dtype=np.int64), "rows"),
        tensor(np.array(np.finfo(np.float32).tiny, dtype=np.float32), "tiny"),
    ]
    nodes = [
        # A row's scale does not matter; dividing by its largest entry keeps the squares below from
        # overflowing.
        node("Abs", ["texts"], ["size"]),
        node("ReduceMax", ["size", "rows"], ["largest"], keepdims=1),  # (n, 1)
        node("Max", ["largest", "tiny"], ["scale"]),
        node("Div", ["texts", "scale"], ["scaled"]),
        node("MatMul", ["scaled", "weight_t"], ["product"]),  # (n, d_out)
        node("ReduceL2", ["product", "rows"], ["length"], keepdims=1),  # (n, 1)
        node("Max", ["length", "tiny"], ["divisor"]),
        node("Div", ["product", "divisor"], ["mapped"]),
    ]
    value, number = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "labclip",
        [value("texts", number, ["n", d_in])],
        [value("mapped", number, ["n", d_out])],
        constants,
    )
    opset = onnx.helper.make_opsetid("", OPSET)
    model = onnx.helper.make_model(
        graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="conceptbind"
    )
    onnx.helper.set_model_props(
        model, {name: str(adapter.config[name]) for name in METADATA if name in adapter.config}
    )
    return model
