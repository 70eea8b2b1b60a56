"""A model that learns: one fixed suite scores it again and again, and says when binding changed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
