"""Controlled models: two small transformers on symbols that learn to bind, or do not, from
scratch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
