"""A local page to try an encoder on one's own captions and pictures: `conceptbind try`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
