"""A repair where it is used: an ONNX graph, a sentence-transformers folder, or an ordinary CLIP
checkpoint.

Pictures are never touched, so an index of them stays valid. An adapter needs none of this; in NumPy
it is one line, and one that divides:

    weight = safetensors.numpy.load_file("ADAPTER/adapter.safetensors")["weight"]
    mapped = texts @ weight.T
    mapped /= np.linalg.norm(mapped, axis=1, keepdims=True)
"""

from conceptbind.exports.mteb_model import mteb_model, mteb_task
from conceptbind.exports.onnx import export_onnx
from conceptbind.exports.sentence import export_sentence_transformers
from conceptbind.exports.towers import wrap_open_clip, wrap_transformers_clip

__all__ = [
    "export_onnx",
    "export_sentence_transformers",
    "mteb_model",
    "mteb_task",
    "wrap_open_clip",
    "wrap_transformers_clip",
]
