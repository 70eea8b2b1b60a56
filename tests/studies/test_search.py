"""Search probes: an encoder that counts objects finds the target, one that counts values does not."""

from __future__ import annotations

import numpy as np

from conceptbind.drawing.vocabulary import COLORS
from conceptbind.studies import search_records


class Pixels:
    """Sees where the pixels of a colour are on average, and no shape: it cannot know which colour has which shape."""

    id, revision, dimension, modalities = "pixels", "1", 3, ("image",)

    def encode_images(self, images):
        rows = []
        for image in images:
            red, green = ((np.asarray(image) == COLORS[color]).all(axis=2) for color in ("red", "green"))
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
    from conceptbind.drawing import search_fields

    (blind,) = search_records(Pixels(), n_fields=400, counts=(4, 8))
    assert 0.3 < blind.value < 0.7
    (told,) = search_records(
        Cheats(search_fields(400, ("red", "green"), ("square", "circle"), counts=(4, 8))), n_fields=400, counts=(4, 8)
    )
    assert told.value > 0.9
    assert told.n == blind.n


def test_the_interval_of_the_zero_shot_share_counts_both_sides():
    from conceptbind.studies.search import _auc

    one_rival = np.concatenate([np.ones((50, 1)), np.zeros((50, 1))])  # one field without the target: half are above it
    value, low, high = _auc([one_rival], np.random.default_rng(0))
    assert value == 0.5
    assert low < 0.45
    assert high > 0.55
    # Fields with the target always win against one rival and never against the other: only drawing the rivals again shows how little is known.
    value, low, high = _auc([np.tile([[1.0, 0.0]], (500, 1))], np.random.default_rng(0))
    np.testing.assert_allclose((value, low, high), (0.5, 0.0, 1.0), atol=1e-9)
