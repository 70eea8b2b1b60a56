"""How an encoder is opened: the options that commands, the registry and every loader share."""

from __future__ import annotations

from dataclasses import dataclass

from conceptbind.core.typing import LongCaptions, Precision


@dataclass(frozen=True, kw_only=True)
class Trusting:
    """Whether a model may bring code."""

    GROUP = "The encoder"

    trust_remote_code: bool = False
    """Run Python code that the model brings. Without it no code of a model is run."""


@dataclass(frozen=True, kw_only=True)
class Reading(Trusting):
    """Where an encoder computes, and how it reads captions."""

    GROUP = "The encoder"

    device: str = "auto"
    """Device of the encoder: cpu, cuda, or another device of torch; auto is a GPU where there
    is one.
    """
    long_captions: LongCaptions = "truncate"
    """How to treat captions that are longer than the model reads: truncate (cut off their ends and
    say how many), or refuse.
    """


@dataclass(frozen=True, kw_only=True)
class Opening(Reading):
    """How an encoder is opened: the options of every command that computes with one."""

    GROUP = "The encoder"

    precision: Precision = "float32"
    """Number format of the encoder: float32, bf16 (weights of half the memory, less exact) where
    the processor computes fast in it, or fp16 (products in half precision by torch's autocast).
    """
    workers: int | None = None
    """Number of threads that read and prepare pictures while the model computes; 0 does so between
    two batches. Left out: one for each core, at most 16, where there is a GPU, else one.
    """
    picture_batch: int | None = None
    """Number of pictures of one forward pass; left out, what is fast on most machines (32)."""


CPU = Opening(device="cpu")
"""What a loader does where nothing is asked for; it knows no `auto`."""
