"""A repair where it is used: an ONNX graph, a sentence-transformers folder, or an ordinary CLIP
checkpoint.

Pictures are never touched, so an index of them stays valid. An adapter needs none of this; in NumPy
it is one line, and one that divides:

    weight = safetensors.numpy.load_file("ADAPTER/adapter.safetensors")["weight"]
    mapped = texts @ weight.T
    mapped /= np.linalg.norm(mapped, axis=1, keepdims=True)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
