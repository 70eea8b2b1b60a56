"""Cases and studies: what is asked of an encoder, and the loop that asks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
