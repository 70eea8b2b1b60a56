"""How far does binding carry, when scenes get harder in one way at a time?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
