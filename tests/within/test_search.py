"""Search probes: an encoder that counts objects finds the target, one that counts values does
not.
"""

from __future__ import annotations

import numpy as np

from conceptbind.pictures.vocabulary import COLORS
from conceptbind.within import search_records
from conceptbind.within.search import LISTED, search_study


class Pixels:
    """Sees where the pixels of a colour are on average, and no shape: it cannot know which colour
    has which shape.
    """

    id, revision, dimension, modalities = "pixels", "1", 3, ("image",)

    def encode_images(self, images):
        rows = []
        for image in images:
            red, green = (
                (np.asarray(image) == COLORS[color]).all(axis=2) for color in ("red", "green")
            )
            rows.append([np.nonzero(red)[0].mean() / 224, np.nonzero(green)[1].mean() / 224, 1.0])
        return np.array(rows, dtype=np.float32)


class Cheats(Pixels):
    """Is told the answer by the test: the positive control."""

    def __init__(self, fields):
        self.present, self.at = fields.present, 0

    def encode_images(self, images):
        rows = super().encode_images(images)
        rows[:, 2] += self.present[self.at : self.at + len(images)]
        self.at += len(images)
        return rows


def test_colours_alone_do_not_find_the_target_and_the_answer_does():
    from conceptbind.pictures import search_fields

    (blind,) = search_records(Pixels(), n_fields=400, counts=(4, 8))
    assert 0.3 < blind.value < 0.7
    (told,) = search_records(
        Cheats(search_fields(400, ("red", "green"), ("square", "circle"), counts=(4, 8))),
        n_fields=400,
        counts=(4, 8),
    )
    assert told.value > 0.9
    assert told.n == blind.n


def test_fields_that_were_missed_are_kept_with_their_pictures():
    from conceptbind.pictures import draw_field, search_fields

    asked = {"n_fields": 400, "counts": (4, 8)}
    fields = search_fields(400, ("red", "green"), ("square", "circle"), counts=(4, 8))
    found = search_study(Pixels(), **asked)
    (record,) = found.records
    assert found.n_missed == round(record.n * (1 - record.value)) > LISTED
    assert len({missed.row for missed in found.missed}) == LISTED
    for missed in found.missed:
        assert missed.target == " ".join(fields.targets[missed.row])
        assert missed.present == fields.present[missed.row]
        assert missed.objects == len(fields.objects[missed.row])
        drawn, _ = draw_field(fields, missed.row)
        assert (np.asarray(drawn) == np.asarray(missed.picture)).all()
    told = search_study(Cheats(fields), **asked)
    assert len(told.missed) == min(told.n_missed, LISTED)
    assert told.n_missed < found.n_missed / 5


class Blank(Pixels):
    """Pictures and captions alike are one vector: a tie in every comparison."""

    modalities = ("image", "text")

    def encode_images(self, images):
        return np.ones((len(images), 3), dtype=np.float32)

    encode_texts = encode_images


def test_a_tie_is_a_miss_for_the_caption_alone_too():
    _, found = search_records(Blank(), n_fields=80, counts=(4,))
    assert (found.metric, found.value, found.ties) == ("search_in_order", 0.0, found.n)
    assert found.ci_low == 0 < found.ci_high
