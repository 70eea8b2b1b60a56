"""What was done to pictures before the model, in words for the provenance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

RESAMPLING = ("nearest", "Lanczos", "bilinear", "bicubic", "box", "Hamming")
"""Pillow's numbers of its ways to resize."""


def pictures_told(config: Mapping[str, Any]) -> str:
    """Size, crop, interpolation, mean and deviation on one line; empty where nothing is known.

    Args:
        config: of a picture processor of transformers, as `to_dict` gives it.
    """
    parts = []
    resized = _resized(config)
    if resized:
        parts.append(resized)
    if config.get("do_center_crop") and (cut := _sides(config.get("crop_size"))):
        parts.append(f"the middle {cut} cut out")
    if config.get("do_pad"):
        parts.append("padded")
    if config.get("do_normalize", True):
        parts += _scaled(config.get("image_mean"), config.get("image_std"))
    return ", ".join(parts)


def _resized(config: Mapping[str, Any]) -> str:
    """How a processor changes the size of a picture; empty where it does not."""
    most, patch = config.get("max_num_patches"), config.get("patch_size")
    if most and patch:  # NaFlex keeps the shape of a picture
        return f"at most {most} patches of {_sides(patch)}{_way(config)}"
    size = config.get("size")
    if not config.get("do_resize", True) or size is None:
        return ""
    if isinstance(size, Mapping):
        known = {"shortest_edge": "the short side", "longest_edge": "the long side at most"}
        edges = [f"{word} {size[key]}" for key, word in known.items() if size.get(key)]
        if edges:
            return f"{' and '.join(edges)}{_way(config)}"
    sides = _sides(size)
    return f"resized to {sides}{_way(config)}" if sides else ""


def _way(config: Mapping[str, Any]) -> str:
    number = config.get("resample")
    try:
        return f" ({RESAMPLING[int(number)]})" if number is not None else ""
    except (IndexError, TypeError, ValueError):
        return ""


def _sides(size: Any) -> str:
    """Height and width of a size in any of the forms that processors have."""
    if isinstance(size, Mapping):
        found = [size.get("height"), size.get("width")]
    elif isinstance(size, list | tuple):
        found = list(size)
    else:
        found = [size, size]
    return " x ".join(map(str, found)) if len(found) == 2 and all(found) else ""


def _scaled(mean: Any, deviation: Any) -> list[str]:
    """The numbers by which channels are moved and divided."""
    named = {"mean": mean, "deviation": deviation}
    return [
        f"{name} {_numbers(values)}"
        for name, values in named.items()
        if isinstance(values, list | tuple)
    ]


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)
