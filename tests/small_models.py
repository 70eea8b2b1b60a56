"""Models of many families with random weights and a few thousand parameters, saved to a folder as a
user's own would be.
"""

from __future__ import annotations

import json
from pathlib import Path

WORDS = "a an and red blue green yellow circle square triangle star cube sphere".split()
PICTURE = 32
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 40,
}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": PICTURE,
    "patch_size": 8,
}
CLIP_TEXT = TEXT | SPECIAL | {"max_position_embeddings": 16}
BERT = TEXT | {"pad_token_id": 0, "max_position_embeddings": 16}
ROBERTA = TEXT | {"pad_token_id": 0, "max_position_embeddings": 17}


def word_tokenizer(
    folder: Path,
    begin: str = "<s>",
    end: str = "</s>",
    pad: str | None = "<pad>",
    lower: bool = False,
) -> None:
    """A tokenizer of whole words, written in the format that transformers reads."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate([pad or "<none>", begin, end, "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if lower:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        special_tokens=[(begin, vocabulary[begin]), (end, vocabulary[end])],
    )
    names = {"bos_token": begin, "eos_token": end, "unk_token": "<unk>"} | (
        {"pad_token": pad} if pad else {}
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)


def picture_processor(folder: Path, size: int = PICTURE, **more: object) -> None:
    """A processor configuration for square pictures."""
    config = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"height": size, "width": size},
        "do_center_crop": False,
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        **more,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(config))


def pooling(folder: Path, mode: str) -> None:
    """A sentence-transformers folder: a transformer and a pooling."""
    parts = [("Transformer", ""), ("Pooling", "1_Pooling")]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(parts)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"pooling_mode": mode, "embedding_dimension": 32})
    )


def towers(prefix: str, text: dict, vision: dict, **more: object):
    """A dual model of transformers from the configurations of its towers."""
    import transformers

    return getattr(transformers, f"{prefix}Model")(
        getattr(transformers, f"{prefix}Config")(text_config=text, vision_config=vision, **more)
    )


def alone(prefix: str, config: dict, model: str = "Model"):
    """A model of transformers from one configuration."""
    import transformers

    return getattr(transformers, f"{prefix}{model}")(
        getattr(transformers, f"{prefix}Config")(**config)
    )


STAGES = {"depths": [1, 1], "image_size": PICTURE}
QWEN = TEXT | SPECIAL | {"max_position_embeddings": 64, "num_key_value_heads": 2, "head_dim": 16}
T5 = {
    "d_model": 32,
    "d_kv": 16,
    "d_ff": 48,
    "num_layers": 2,
    "num_heads": 2,
    "vocab_size": 40,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 2,
}
ALIGN_VISION = {
    "image_size": PICTURE,
    "hidden_dim": 32,
    "kernel_sizes": [3],
    "in_channels": [32],
    "out_channels": [16],
    "depthwise_padding": [],
    "strides": [1],
    "num_block_repeats": [1],
    "expand_ratios": [1],
    "width_coefficient": 1.0,
    "depth_coefficient": 1.0,
}
GROUP_VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "depths": [1, 1, 1],
    "num_hidden_layers": 3,
    "num_group_tokens": [8, 4, 0],
    "num_output_groups": [8, 4, 4],
    "num_attention_heads": 2,
    "image_size": PICTURE,
    "patch_size": 8,
}
XCLIP_VISION = VISION | {
    "mit_hidden_size": 16,
    "mit_intermediate_size": 32,
    "mit_num_hidden_layers": 1,
    "mit_num_attention_heads": 2,
    "num_frames": 4,
}
FLAVA = VISION | {"qkv_bias": True}


def flava():
    """FLAVA names the configurations of its towers by the modality."""
    import transformers

    config = transformers.FlavaConfig(
        text_config=BERT,
        image_config=FLAVA,
        multimodal_config={k: FLAVA[k] for k in TEXT if k in FLAVA},
        hidden_size=32,
        projection_dim=24,
    )
    return transformers.FlavaModel(config)


def vision_text():
    """Two models of the user's choice under one roof."""
    import transformers

    config = transformers.VisionTextDualEncoderConfig.from_vision_text_configs(
        transformers.CLIPVisionConfig(**VISION), transformers.BertConfig(**BERT), projection_dim=24
    )
    return transformers.VisionTextDualEncoderModel(config)


DUALS = {
    "clip": lambda: towers("CLIP", CLIP_TEXT, VISION, projection_dim=24),
    "siglip": lambda: towers(
        "Siglip", CLIP_TEXT | {"projection_size": 48}, VISION | {"hidden_size": 48}
    ),
    "metaclip_2": lambda: towers("MetaClip2", CLIP_TEXT, VISION, projection_dim=24),
    "altclip": lambda: towers("AltCLIP", ROBERTA | {"project_dim": 32}, VISION, projection_dim=24),
    "align": lambda: towers("Align", BERT, ALIGN_VISION, projection_dim=16),
    "chinese_clip": lambda: towers("ChineseCLIP", BERT, VISION, projection_dim=24),
    "blip": lambda: towers(
        "Blip", CLIP_TEXT | {"encoder_hidden_size": 32}, VISION, projection_dim=24
    ),
    "flava": flava,
    "groupvit": lambda: towers(
        "GroupViT", CLIP_TEXT, GROUP_VISION, projection_dim=24, projection_intermediate_dim=32
    ),
    "aimv2": lambda: towers("Aimv2", CLIP_TEXT, VISION | {"use_head": True}, projection_dim=24),
    "clipseg": lambda: towers(
        "CLIPSeg", CLIP_TEXT, VISION, projection_dim=24, extract_layers=[0, 1]
    ),
    "owlvit": lambda: towers("OwlViT", CLIP_TEXT, VISION, projection_dim=24),
    "owlv2": lambda: towers("Owlv2", CLIP_TEXT, VISION, projection_dim=24),
    "vision-text-dual-encoder": vision_text,
}
"""Two towers and a common space."""

PICTURES = {
    "clip_vision": lambda: alone("CLIPVision", VISION),
    "clip_vision_projection": lambda: alone(
        "CLIPVision", VISION | {"projection_dim": 24}, "ModelWithProjection"
    ),
    "siglip_vision": lambda: alone("SiglipVision", VISION),
    "aimv2_vision": lambda: alone("Aimv2Vision", VISION | {"use_head": True}),
    "metaclip_2_vision": lambda: alone("MetaClip2Vision", VISION),
    "vit": lambda: alone("ViT", VISION),
    "deit": lambda: alone("DeiT", VISION),
    "vit_msn": lambda: alone("ViTMSN", VISION),
    "beit_mean": lambda: alone("Beit", VISION | {"use_mean_pooling": True}),
    "beit_class": lambda: alone("Beit", VISION | {"use_mean_pooling": False}),
    "vit_mae": lambda: alone("ViTMAE", VISION),
    "dinov2": lambda: alone(
        "Dinov2", {k: v for k, v in VISION.items() if k != "intermediate_size"}
    ),
    "dinov2_registers": lambda: alone(
        "Dinov2WithRegisters", {k: v for k, v in VISION.items() if k != "intermediate_size"}
    ),
    "dinov3": lambda: alone("DINOv3ViT", VISION | {"num_register_tokens": 4}),
    "dinov3_convnext": lambda: alone(
        "DINOv3ConvNext", {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 32]}
    ),
    "dinov3_gated": lambda: alone(
        "DINOv3ViT", VISION | {"num_register_tokens": 4, "use_gated_mlp": True}
    ),
    "ijepa": lambda: alone("IJepa", VISION),
    "swin": lambda: alone(
        "Swin", STAGES | {"embed_dim": 16, "num_heads": [2, 2], "window_size": 4}
    ),
    "swinv2": lambda: alone(
        "Swinv2", STAGES | {"embed_dim": 16, "num_heads": [2, 2], "window_size": 4}
    ),
    "convnext": lambda: alone(
        "ConvNext", {"depths": [1, 1], "hidden_sizes": [16, 32], "num_stages": 2}
    ),
    "convnextv2": lambda: alone(
        "ConvNextV2", {"depths": [1, 1], "hidden_sizes": [16, 32], "num_stages": 2}
    ),
    "resnet": lambda: alone(
        "ResNet",
        {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "layer_type": "basic"},
    ),
    "regnet": lambda: alone(
        "RegNet",
        {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "groups_width": 8},
    ),
    "mobilenet_v2": lambda: alone("MobileNetV2", {"depth_multiplier": 0.25, "image_size": PICTURE}),
}
"""Pictures only."""

TEXTS = {
    "bert": lambda: alone("Bert", BERT),
    "roberta": lambda: alone("Roberta", ROBERTA),
    "xlm_roberta": lambda: alone("XLMRoberta", ROBERTA),
    "camembert": lambda: alone("Camembert", ROBERTA),
    "nomic_bert": lambda: alone("NomicBert", TEXT | SPECIAL | {"max_position_embeddings": 16}),
    "mpnet": lambda: alone("MPNet", TEXT | {"pad_token_id": 1, "max_position_embeddings": 18}),
    "distilbert": lambda: alone(
        "DistilBert", {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 2, "vocab_size": 40}
    ),
    "albert": lambda: alone(
        "Albert", TEXT | {"embedding_size": 16, "max_position_embeddings": 16, "pad_token_id": 0}
    ),
    "deberta-v2": lambda: alone(
        "DebertaV2", BERT | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
    ),
    "electra": lambda: alone("Electra", BERT | {"embedding_size": 16}),
    "bert-generation": lambda: alone("BertGeneration", BERT, "Encoder"),
    "xlnet": lambda: alone(
        "XLNet", {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 48, "vocab_size": 40}
    ),
    "gemma3_both_ways": lambda: alone(
        "Gemma3Text", QWEN | {"use_bidirectional_attention": True, "num_key_value_heads": 1}
    ),
    "gpt2": lambda: alone(
        "GPT2",
        {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 40, "n_positions": 16} | SPECIAL,
    ),
    "t5": lambda: alone("T5", T5, "EncoderModel"),
    "t5_whole": lambda: alone("T5", T5),
    "modernbert": lambda: alone(
        "ModernBert",
        TEXT | SPECIAL | {"max_position_embeddings": 16, "cls_token_id": 1, "sep_token_id": 2},
    ),
    "qwen2": lambda: alone("Qwen2", {k: v for k, v in QWEN.items() if k != "head_dim"}),
    "qwen3": lambda: alone("Qwen3", QWEN),
    "llama": lambda: alone("Llama", {k: v for k, v in QWEN.items() if k != "head_dim"}),
    "siglip_text": lambda: alone("SiglipText", CLIP_TEXT | {"projection_size": 24}),
    "clip_text": lambda: alone("CLIPText", CLIP_TEXT),
    "metaclip_2_text": lambda: alone("MetaClip2Text", CLIP_TEXT),
    "aimv2_text": lambda: alone("Aimv2Text", CLIP_TEXT),
    "clip_text_projection": lambda: alone(
        "CLIPText", CLIP_TEXT | {"projection_dim": 24}, "ModelWithProjection"
    ),
}
"""Captions only."""


def save(name: str, folder: Path) -> Path:
    """Write one of the models above with what it needs beside it."""
    import torch

    made = {**DUALS, **PICTURES, **TEXTS}[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = made().eval()
        with torch.no_grad():  # so that no weight is 0 or 1, and each counts
            for weight in model.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
    model.save_pretrained(folder)
    if name not in PICTURES:
        word_tokenizer(folder)
    if name not in TEXTS:
        picture_processor(folder)
    return folder
