"""From what a user names to rows: computed, read from an array, or kept in a folder."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
