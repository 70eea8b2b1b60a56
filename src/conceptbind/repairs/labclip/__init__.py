"""LABCLIP: a linear map of captions that makes binding usable between pictures and captions,
its cost and its reasons.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
