"""Pure functions on arrays. One tie rule everywhere: a tie is a miss, and is counted."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
