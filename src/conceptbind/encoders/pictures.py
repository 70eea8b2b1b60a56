"""Reading picture files as RGB."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from conceptbind.errors import FileError

if TYPE_CHECKING:
    from PIL.Image import Image


def read_picture(path: Path) -> Image:
    """One picture as RGB.

    Raises:
        FileError: missing, broken, animated, with more than 8 bits a channel, or suspiciously large; names the file.
    """
    from PIL import Image as Pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            with Pillow.open(path) as picture:
                frames = getattr(picture, "n_frames", 1)
                if frames > 1:
                    raise FileError(f"the picture {path} is animated ({frames} frames); save one frame of it")
                if picture.mode.startswith(("I", "F")):
                    raise FileError(f"the picture {path} has more than 8 bits a channel (mode {picture.mode}); save it with 8")
                return picture.convert("RGB")
    except FileNotFoundError as error:
        raise FileError(f"the scene table names the picture {path}, which is not there") from error
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise FileError(f"the picture {path} is refused as a decompression bomb: {error}") from error
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"the picture {path} cannot be read: {error}") from error
