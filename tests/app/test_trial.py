"""One picture against captions: by an encoder that a reader can follow, and by a real one."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from app.by_hand import Bag, Bound
from conceptbind.app import Model, try_picture, words
from conceptbind.app.pictures import Placed, draw, shown_by
from conceptbind.app.recipes import of_trial
from conceptbind.app.trial import truth_of
from conceptbind.core.errors import (
    MismatchError,
    ModalityError,
    UnknownNameError,
    ValueRangeError,
)
from conceptbind.repairs.labclip import Adapter

CAPTION, SWAP = "a red square and a blue circle", "a blue square and a red circle"
SHOWN = frozenset((("red", "square"), ("blue", "circle")))


def tried(encoder, captions=(CAPTION,), shown=SHOWN, adapter=None):
    model = Model(encoder, adapter)
    return try_picture(model, encoder.sees(SHOWN), list(captions), shown)


def test_a_bag_of_words_ties_and_an_encoder_that_binds_is_right():
    bag = tried(Bag())
    assert bag.sentences[0].startswith("bag finds your caption and its swap equally near")
    assert bag.sentences[0].endswith("Your caption is the true one, so that is a miss.")
    bound = tried(Bound())
    assert bound.sentences[0].endswith("Your caption is the true one, so that is right.")
    (as_written, swap, *_) = bound.lines
    assert (as_written.caption, as_written.role) == (CAPTION, "caption")
    assert (swap.caption, swap.role) == (SWAP, "swap")
    assert (as_written.before, swap.before) == pytest.approx((1, 0))
    assert as_written.after is None


def test_a_false_caption_that_is_nearer_is_wrong():
    turned = tried(Bound(), [SWAP])
    assert turned.sentences[0].endswith("The swap is the true one, so that is right.")
    unknown = tried(Bound(), [CAPTION], None)
    assert "If your caption is true of the picture, that is right." in unknown.sentences[0]


def test_blanks_tell_where_an_attribute_goes_wrong():
    bound = {(one.noun, one.written): one for one in tried(Bound()).blanks}
    assert set(bound) == {("square", "red"), ("circle", "blue")}
    assert not any(one.wrong for one in bound.values())
    # of the false caption each attribute is wrong, and the true one is named in its place
    turned = {one.noun: one for one in tried(Bound(), [SWAP]).blanks}
    assert (turned["square"].best, turned["square"].wrong) == ("red", True)
    assert (turned["circle"].best, turned["circle"].wrong) == ("blue", True)
    assert all(not one.repaired for one in turned.values())


def test_an_attribute_that_is_true_too_is_not_offered_as_wrong():
    """A red and a blue square are drawn: "a blue square" is no mistake of the encoder."""
    shown = {("red", "square"), ("blue", "square"), ("green", "circle")}
    model = Model(Bag())
    caption = "a red square and a green circle"
    found = try_picture(model, model.encoder.sees(shown), [caption], shown)
    square = next(one for one in found.blanks if one.noun == "square")
    assert square.best not in ("red", "blue")
    assert square.text == f"a {square.best} square and a green circle"


def test_an_encoder_that_fails_or_gives_zeros_is_named():
    class Fails(Bound):
        def encode_texts(self, texts):
            raise RuntimeError("out of memory")

    class Zeros(Bound):
        def encode_texts(self, texts):
            return np.zeros((len(texts), self.dimension))

    row = Bound().sees(SHOWN)
    with pytest.raises(MismatchError, match="'bound' failed: RuntimeError: out of memory"):
        Model(Fails()).captions([CAPTION])
    refused = try_picture(Model(Zeros()), row, [CAPTION]).refused
    assert "gives a row of zeros for “a red square and a blue circle”" in refused[0]


def test_what_is_not_shown_is_said():
    class Narrow(Bound):
        """Knows red alone."""

        def pairs(self, text):
            if "red" not in text:
                raise UnknownNameError(f"'{text}' has words that are not known")
            return super().pairs(text)

    assert words.NO_BLANKS in tried(Narrow(), ["a red square"]).notes
    assert words.NO_BLANKS not in tried(Bound(), ["a red square"]).notes

    class Reads(Bound):
        modalities = ("text",)

    adapter = Adapter(np.eye(Reads.dimension, dtype=np.float32), 0.0, {})
    assert words.UNMAPPED in tried(Reads(), adapter=adapter).notes
    assert words.UNMAPPED not in tried(Bound(), adapter=adapter).notes


def test_a_map_that_exchanges_two_words_turns_the_answer():
    """The second column is of the mapped captions, in every part of the answer."""
    encoder = Bound()
    weight = np.eye(encoder.dimension, dtype=np.float32)
    one, two = encoder.place(("red", "square")), encoder.place(("blue", "square"))
    weight[[one, two]] = weight[[two, one]]
    found = tried(encoder, adapter=Adapter(weight, 0.0))
    first, swap, *_ = found.lines
    assert (first.before, swap.before) == pytest.approx((1, 0))
    assert (first.after, swap.after) == pytest.approx((0.5, 0.5))
    assert "After the repair it finds your caption and its swap equally near" in found.sentences[1]
    assert {one.repaired for one in found.blanks} == {True, False}
    assert found.notes == (
        "The repair does not say what it was fitted on, which may hold a scene like this.",
    )


def test_a_caption_that_is_refused_stands_beside_those_that_are_read():
    encoder = Bound()
    found = tried(encoder, ["a red dragon", CAPTION, "a <b>red</b> square"])
    assert [line.role for line in found.lines] == ["other"]
    assert [text.split(":")[0] for text in found.refused] == [
        "“a red dragon”",
        "“a <b>red</b> square”",
    ]
    none = tried(encoder, ["a red dragon"])
    assert none.lines == () and len(none.refused) == 1


def test_captions_are_few_and_short():
    for captions, said in (
        (["  ", ""], "expected a caption; got none"),
        (["", "a red square"], "expected a caption; got none"),  # the second is not swapped
        ([f"a {n}" for n in range(13)], "at most 12 captions; got 13"),
        (["x" * 10_000], "at most 2,000 characters; got one of 10,000"),
    ):
        with pytest.raises(ValueRangeError, match=said):
            tried(Bound(), captions)


def test_an_encoder_without_captions_and_a_map_of_another_are_refused(tiny):
    class Blind:
        id, revision, dimension, modalities = "blind", "1", 2, ("image",)

    with pytest.raises(ModalityError, match="'blind' does not embed captions"):
        Model(Blind())
    other = Adapter(np.eye(4, dtype=np.float32), 0.0, {"encoder": "st:other", "revision": "1"})
    with pytest.raises(MismatchError, match="fitted on 'st:other'"):
        Model(tiny, other)


def test_overlapping_objects_make_no_caption_true():
    apart = [Placed("red", "square", 0.25, 0.5), Placed("blue", "circle", 0.75, 0.5)]
    assert shown_by(apart) == (("red", "square"), ("blue", "circle"))
    assert shown_by([apart[0], Placed("blue", "circle", 0.3, 0.5)]) is None
    assert shown_by([Placed("salmon", "square", 0.5, 0.5)]) is None
    assert shown_by([Placed("grey", "square", 0.5, 0.5)]) == (("gray", "square"),)


@pytest.mark.parametrize(
    ("caption", "drawn", "truth"),
    [
        (CAPTION, SHOWN, True),
        ("A red square.", SHOWN, True),
        (f"there is {CAPTION}", [*SHOWN, ("green", "ring")], True),
        (SWAP, SHOWN, False),
        ("a grey square", [("gray", "square")], True),
        # one is drawn, and two are told
        ("a red square, a red square and a blue circle", SHOWN, None),
        # two are drawn, and one is told
        (CAPTION, [*SHOWN, ("red", "square")], None),
        (SWAP, [("red", "circle"), ("red", "circle")], None),
        ("a red square is a blue circle", SHOWN, None),
        ("there is a red square of a blue circle is a picture", SHOWN, None),
        ("a red square and a blue circle and", SHOWN, None),
        ("a red square with a blue circle", SHOWN, None),
        ("red square blue circle", SHOWN, None),
        (CAPTION, None, None),
    ],
)
def test_only_whole_lists_of_distinct_objects_are_true_or_false(caption, drawn, truth):
    assert truth_of(caption, drawn) is truth


@pytest.mark.parametrize("shape", [(32, 256), (64, 64)])
def test_a_repair_of_another_width_is_refused_at_once(tiny, shape):
    with pytest.raises(MismatchError, match=f"maps {shape[1]} dimensions to {shape[0]}.* 256"):
        Model(tiny, Adapter(np.eye(*shape, dtype=np.float32), 0.0))


def run_text(source):
    """What a program prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "copied.py", "exec"), {"__name__": "copied"})
    return printed.getvalue()


def run_python(source):
    """The same, as the cells of each line."""
    return [line.split("  ") for line in run_text(source).splitlines()]


def test_the_python_of_a_drawing_gives_the_numbers_of_the_page(model):
    objects = [Placed("red", "square", 0.3, 0.4), Placed("blue", "circle", 0.7, 0.6, 0.2)]
    found = try_picture(model, model.picture(draw(objects)), [CAPTION, "a green star"])
    captions = [line.caption for line in found.lines]
    python = of_trial(model, captions, objects=objects)
    printed = run_python(python)
    assert [line[-1].split(" ", 1)[-1] for line in printed] == captions
    for line, told in zip(found.lines, printed, strict=True):
        before, after = float(told[0]), float(told[1].split(" ")[0])
        assert before == pytest.approx(line.before, abs=2e-6)
        assert after == pytest.approx(line.after, abs=2e-6)


def test_the_python_of_a_file_and_of_a_text(tiny, tmp_path, monkeypatch):
    model = Model(tiny)
    objects = [Placed("red", "square", 0.3, 0.4), Placed("blue", "circle", 0.7, 0.6)]
    draw(objects).save(tmp_path / "it's.png")
    monkeypatch.chdir(tmp_path)
    row = model.picture(draw(objects))
    for told, compared in (
        ({"file": "it's.png"}, row),
        ({"text": CAPTION}, model.captions([CAPTION])[0][0]),
    ):
        (line,) = try_picture(model, compared, ["a red square"]).lines
        ((score, caption),) = run_python(of_trial(model, ["a red square"], **told))
        assert (float(score), caption) == (pytest.approx(line.before, abs=2e-6), "a red square")


def test_an_empty_picture_is_drawn_too(tiny):
    assert draw([]).getcolors() == [(224 * 224, (200, 200, 200))]
    python = of_trial(Model(tiny), ["a red square"], objects=[])
    assert len(run_python(python)) == 1


def test_what_is_read_is_asked_once_and_together():
    """One call for texts that are all read; one for each where one of them is not."""

    class Counts(Bound):
        calls = 0

        def encode_texts(self, texts):
            self.calls += 1
            return super().encode_texts(texts)

    encoder = Counts()
    model = Model(encoder)
    known = ["a red square", "a blue circle", "a green square"]
    assert model.reads_each(known) == [True] * 3
    assert encoder.calls == 1
    assert model.reads_each([*known, "a red square"]) == [True] * 4
    assert encoder.calls == 1
    assert model.reads_each(["a red dragon", "a red square", "a blue square"]) == [
        False,
        True,
        True,
    ]
    assert encoder.calls == 4  # together in vain, then each of the two new ones
    assert model.reads("a red dragon") is False
    assert encoder.calls == 4
