"""A laboratory of repairs: one contract for many maps of captions and pictures, compared on the
same folds.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
