"""Encoders: one string names one, and each optional package is imported only when it is asked
for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
