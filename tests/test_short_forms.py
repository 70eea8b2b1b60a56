"""Objects show themselves in a line of less than 100 letters, and tables of scenes in notebooks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import conceptbind
from conceptbind.controlled.store import ControlledEncoder
from conceptbind.encoders.brief import described
from conceptbind.encoders.hf import HuggingFaceEncoder
from conceptbind.encoders.open_clip import OpenClipEncoder
from conceptbind.encoders.st import SentenceTransformerEncoder
from conceptbind.encoders.timm import TimmEncoder
from conceptbind.rows.arrays import arrays_in_memory
from conceptbind.rows.embeddings import Embeddings
from conceptbind.rows.held import file_or_held
from conceptbind.rows.source import source_of
from conceptbind.scenes import ConceptSpace, Scenes


def test_scenes_show_themselves_as_a_table_of_text(small_scenes):
    shown = small_scenes._repr_html_()
    assert "text20:4x4: 256 scenes of 2 objects; 4 values of adjective, 4 values of noun" in shown
    assert shown.count("<tr>") == 6
    assert ">adjective 1<" in shown
    assert small_scenes.caption(4) in shown
    assert small_scenes.caption(5) not in shown
    space = ConceptSpace(("<b>", "shape"), (("<script>", "red"), ("ball", "cube")))
    one = Scenes(space, np.array([[[0, 1]]]), name="a & b")
    shown = one._repr_html_()
    assert "a &amp; b: 1 scene of 1 object; 2 values of &lt;b&gt;" in shown
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "are shown" not in shown


LONG = "x" * 200
OWN = """
class Letters:
    id, revision, dimension, modalities = "letters", "1", 26, ("text",)
    encode_texts = encode_images = None
"""


def short(thing):
    line = repr(thing)
    return len(line) < 100 and "\n" not in line and line.startswith("<")


def test_encoders_rows_and_splits_show_themselves_in_a_line(small_scenes, tmp_path, monkeypatch):
    tiny = conceptbind.resolve("tiny")
    assert repr(tiny) == "<encoder tiny: captions and pictures, 256 dimensions>"
    assert short(tiny.untrained())
    kinds = (HuggingFaceEncoder, SentenceTransformerEncoder, OpenClipEncoder, TimmEncoder)
    for kind in (*kinds, ControlledEncoder):
        one = object.__new__(kind)  # a repr opens nothing
        one.id, one.dimension, one.modalities = f"hf:{LONG}", 512, ("text",)
        assert repr(one) == f"<encoder ...{'x' * 42}: captions, 512 dimensions>"
    assert short(source_of("tiny"))
    (tmp_path / "own_encoder.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    own = conceptbind.resolve("py:own_encoder:Letters")
    assert repr(own) == "<encoder letters: captions, 26 dimensions>"
    assert len(described(f"hf:{LONG}", ("text", "image"), 10_000)) < 100
    rows = Embeddings(np.zeros((3, 4)), "text", "h", LONG, LONG, "1")
    assert repr(rows).startswith("<Embeddings of ...xxx")
    assert short(rows)
    split = conceptbind.split_scenes(small_scenes, "pair")
    assert repr(split).startswith("<Split by pair: ")
    assert short(split)
    assert short(replace(small_scenes, name=LONG))
    assert short(file_or_held("texts", np.zeros((3, 4))))
    assert short(arrays_in_memory({"text": np.zeros((3, 4))}))
