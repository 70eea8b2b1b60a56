"""The timm adapter gives timm's own pooled features, and says what is wrong with a name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from conceptbind.core.errors import FileError, ModalityError, UnknownNameError
from conceptbind.encoders import Opening, resolve
from conceptbind.encoders.timm import TimmEncoder

timm = pytest.importorskip("timm", exc_type=Exception)

NAME = "vit_tiny_patch16_224"
SMALL = "test_vit"
NO_BF16 = "ignore:this processor computes .* slower in bfloat16"


def pictures(n=3):
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(256, size=(40 + 5 * i, 50, 3), dtype=np.uint8))
        for i in range(n)
    ]


def own_features(model, images):
    """What timm itself computes."""
    transform = timm.data.create_transform(
        **timm.data.resolve_model_data_config(model), is_training=False
    )
    with torch.inference_mode():
        return model.eval()(torch.stack([transform(image) for image in images])).numpy()


@pytest.fixture(scope="module")
def encoder():
    return resolve(f"timm:{NAME}@random", device="cpu")


@pytest.fixture
def weights(tmp_path):
    """A weight file that differs from the random weights which the adapter draws."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = timm.create_model(SMALL)
    path = tmp_path / "weights.pt"
    torch.save(model.state_dict(), path)
    return path


def test_features_are_timms_own(encoder):
    rows = encoder.encode_images(pictures())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = timm.create_model(NAME, num_classes=0)
    np.testing.assert_allclose(rows, own_features(model, pictures()), rtol=1e-4, atol=1e-5)
    assert rows.shape == (3, 192)
    assert rows.dtype == np.float32
    assert not np.allclose(np.linalg.norm(rows, axis=1), 1)  # raw, not normalised


def test_it_says_what_it_is(encoder):
    assert encoder.id == f"timm:{NAME}@random"
    assert encoder.dimension == 192
    assert encoder.modalities == ("image",)
    assert encoder.revision == f"{timm.__version__}:random"
    assert encoder.details == {"precision": "float32"}


def test_random_weights_are_the_same_every_time_and_leave_the_users_generator_alone(encoder):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    again = TimmEncoder(f"{NAME}@random")
    assert torch.rand(1) == expected
    np.testing.assert_array_equal(
        again.encode_images(pictures()), encoder.encode_images(pictures())
    )


def test_batches_do_not_change_the_rows_or_their_order():
    # the ends of the batches
    encoder, images, some = (
        TimmEncoder(f"{SMALL}@random"),
        pictures(35),
        [0, 31, 32, 34],
    )
    alone = np.concatenate([encoder.encode_images([images[i]]) for i in some])
    np.testing.assert_allclose(encoder.encode_images(images)[some], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050", "efficientvit_b0"])
def test_the_dimension_is_the_width_of_the_features(name):
    # All but the first give features wider than `num_features`.
    encoder = TimmEncoder(f"{name}@random")
    assert encoder.encode_images(pictures(1)).shape == (1, encoder.dimension)


def test_pictures_are_prepared_as_the_weights_of_the_tag_need_them():
    inception, imagenet = (
        TimmEncoder(f"{name}@random") for name in ("vit_tiny_patch16_224", "deit_tiny_patch16_224")
    )
    grey = [Image.new("RGB", (224, 224), (128, 128, 128))]
    means = [float(encoder._transform(grey[0]).mean()) for encoder in (inception, imagenet)]
    assert means[0] == pytest.approx(0.004, abs=1e-3)
    assert means[1] == pytest.approx(0.23, abs=0.05)


@pytest.mark.filterwarnings(NO_BF16)
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_gives_float32_rows_near_those_of_float32(encoder, precision):
    low = TimmEncoder(f"{NAME}@random", Opening(device="cpu", precision=precision))
    expected, rows = encoder.encode_images(pictures()), low.encode_images(pictures())
    assert low.details == {"precision": precision}
    assert rows.dtype == np.float32
    cosine = (
        (expected * rows).sum(1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(rows, axis=1)
    )
    assert (cosine > 0.97).all()
    assert not np.array_equal(expected, rows)


def test_text_is_refused(encoder):
    with pytest.raises(ModalityError, match=f"'timm:{NAME}@random' encodes images, not text"):
        encoder.encode_texts(["a red cube"])


def test_a_model_that_gives_no_vector_is_refused(monkeypatch):
    create = timm.create_model
    monkeypatch.setattr(
        timm, "create_model", lambda *args, **options: create(*args, **options, global_pool="")
    )
    with pytest.raises(
        ModalityError, match=r"features of shape \(512, 7, 7\), not one vector per picture"
    ):
        TimmEncoder("resnet18@random")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "vit_tiny_patch16_24@random",
            "unknown timm model 'vit_tiny_patch16_24'; did you mean 'vit_tiny_patch16_224'",
        ),
        (
            "vit_tiny_patch16_224.augreg_in21",
            "'augreg_in21' is not a pretrained tag of the timm model vit_tiny_patch16_224; did you "
            "mean",
        ),
        ("vit_tiny_patch16_224.augreg_in21", "'augreg_in21k'"),
        (
            "test_vit.r160_in1k@rnd",
            "expected timm:NAME or timm:NAME@random; got 'test_vit.r160_in1k@rnd'",
        ),
        (
            "vit_wee_patch16_reg1_gap_256.mine@random",
            "'mine' is not a pretrained tag of the timm model vit_wee_patch16_reg1_gap_256",
        ),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, message):
    with pytest.raises(UnknownNameError) as error:
        resolve(f"timm:{name}")
    assert message in str(error.value)


def test_a_tag_loads_its_weights(weights, monkeypatch):
    # The download is replaced; how timm reads the file and drops the classifier is not.
    create = timm.create_model

    def from_file(name, pretrained, **options):
        overlay = {"file": str(weights)} if pretrained else {}
        return create(name, pretrained=pretrained, pretrained_cfg_overlay=overlay, **options)

    monkeypatch.setattr(timm, "create_model", from_file)
    encoder = TimmEncoder(f"{SMALL}.r160_in1k")
    assert encoder.revision == f"{timm.__version__}:r160_in1k"
    model = create(SMALL, checkpoint_path=str(weights))
    model.reset_classifier(0)
    np.testing.assert_allclose(
        encoder.encode_images(pictures()), own_features(model, pictures()), rtol=1e-4, atol=1e-5
    )
    # the default tag is named
    assert TimmEncoder(SMALL).revision == f"{timm.__version__}:r160_in1k"


def test_weights_that_cannot_be_downloaded_are_an_error_that_says_so(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(FileError, match=f"could not load 'timm:{NAME}': OSError: no network"):
        TimmEncoder(NAME)


def test_the_control_has_other_random_weights_of_the_same_architecture(encoder):
    one, two, other = (encoder.untrained(seed) for seed in (0, 0, 1))
    rows = [model.encode_images(pictures()) for model in (encoder, one, two, other)]
    np.testing.assert_array_equal(rows[1], rows[2])
    assert np.abs(rows[1] - rows[3]).max() > 1e-3
    assert np.abs(rows[1] - rows[0]).max() > 1e-3
    assert (one.id, one.revision) == (f"timm:{NAME}@random (random weights)", "random:0")
