"""How to cite a result."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, metadata

HOMES = ("homepage", "repository", "source", "documentation")
"""Labels of addresses in a package's metadata, the one to cite first."""


def home() -> str | None:
    """Where the program lives, as its metadata declares (`[project.urls]`); None where they declare
    nothing.
    """
    try:
        return declared(metadata("conceptbind").get_all("Project-URL") or ())
    except PackageNotFoundError:  # run from a folder of sources
        return None


def declared(urls: Iterable[str]) -> str | None:
    """The address to cite.

    Args:
        urls: lines of metadata, each a label and an address: "Homepage, https://...".
    """
    parts = (line.partition(",") for line in urls)
    known = {label.strip().lower(): address.strip() for label, _, address in parts}
    return next((known[label] for label in HOMES if label in known), None)


def citation(version: str, url: str | None = None) -> str:
    """The program and the two papers, as BibTeX.

    Args:
        version: of the program.
        url: where it lives; None where that is not known.
    """
    address = "" if url is None else f",\n  url = {{{url}}}"
    return f"""@software{{conceptbind,
  title = {{conceptbind: does an embedding model bind concepts, and what repairs it}},
  author = {{{{The conceptbind contributors}}}},
  version = {{{version}}}, year = {{2026}}{address}
}}
@misc{{uselis2026binding,
  title = {{How can embedding models bind concepts?}},
  author = {{Uselis, Arnas and Koishigarina, Darina and Oh, Seong Joon}},
  eprint = {{2605.31503}}, archivePrefix = {{arXiv}}, year = {{2026}},
  url = {{https://arxiv.org/abs/2605.31503}}
}}
@misc{{koishigarina2025labclip,
  title = {{CLIP behaves like a bag-of-words model cross-modally but not uni-modally}},
  author = {{Koishigarina, Darina and Uselis, Arnas and Oh, Seong Joon}},
  eprint = {{2502.03566}}, archivePrefix = {{arXiv}}, year = {{2025}},
  url = {{https://arxiv.org/abs/2502.03566}}
}}"""
