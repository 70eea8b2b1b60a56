"""Further kinds of probes: by cosine, and of pairs of objects."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
