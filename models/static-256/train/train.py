"""Trains the table on the teacher's targets and writes the three files of the embedder.

    python train.py --texts texts.jsonl.gz --targets targets/ --out table/ [--limit 3000] [--epochs 4]

1. PCA of the teacher's sentence embeddings to 256 dimensions (uncentred, so that cosines survive).
2. First rows: the teacher's embedding of each piece alone, projected, times its SIF weight 1e-4 / (1e-4 + p(piece)).
3. Sparse Adam on (1 - cosine with the target) + 20 x mean squared error of the similarity matrices within a batch.
4. int8 with one scale for each row; one bit for each piece that fewer than three texts have.
"""

from __future__ import annotations

import argparse
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from static_table import DIMENSIONS, PIECES, pieces_of, rare_bits, save, tokenizer
from teacher import folder, read_texts

SIMILARITY_WEIGHT = 20.0


def projection(targets: np.ndarray) -> np.ndarray:
    """float32 [384, 256]: the leading eigenvectors of the second moments."""
    _, vectors = np.linalg.eigh(targets.T @ targets / len(targets))
    return np.ascontiguousarray(vectors[:, ::-1][:, :DIMENSIONS])


def sif_weights(ids: list[np.ndarray]) -> np.ndarray:
    """Smooth inverse frequency of each piece (Arora et al. 2017): float32 [pieces]."""
    count = np.zeros(PIECES)
    for pieces in ids:
        np.add.at(count, pieces, 1)
    share = (count + 0.1) / count.sum()
    return (1e-4 / (1e-4 + share)).astype(np.float32)


class Table(nn.Module):
    """Sum of rows, normalised."""

    def __init__(self, rows: np.ndarray) -> None:
        super().__init__()
        self.rows = nn.EmbeddingBag.from_pretrained(torch.from_numpy(rows), freeze=False, mode="sum", sparse=True)

    def forward(self, ids: list[np.ndarray]) -> torch.Tensor:
        starts = np.cumsum([0] + [len(x) for x in ids[:-1]])
        return F.normalize(self.rows(torch.from_numpy(np.concatenate(ids)), torch.from_numpy(starts)), dim=1)


def train(table: Table, ids: list[np.ndarray], targets: np.ndarray, epochs: int, batch: int, rate: float, seed: int) -> None:
    """Trains in place; the rate falls linearly to 0."""
    torch.manual_seed(seed)
    rng, wanted = np.random.default_rng(seed), torch.from_numpy(targets)
    adam = torch.optim.SparseAdam(list(table.parameters()), lr=rate)
    steps, step = epochs * max(1, len(ids) // batch), 0
    for epoch in range(epochs):
        order, total = rng.permutation(len(ids)), 0.0
        for start in range(0, max(1, len(ids) - batch), batch):
            rows = order[start : start + batch]
            y, e = wanted[rows], table([ids[k] for k in rows])
            far = (1 - (e * y).sum(1)).mean()
            loss = far + SIMILARITY_WEIGHT * ((e @ e.T - y @ y.T) ** 2).mean()
            for group in adam.param_groups:
                group["lr"] = rate * max(0.0, 1 - step / steps)
            adam.zero_grad()
            loss.backward()
            adam.step()
            step, total = step + 1, total + far.item()
        print(f"epoch {epoch}: 1 - cosine {total / max(1, (len(ids) - batch) // batch):.4f}", flush=True)


def main() -> None:
    """Reads texts and targets, trains, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--targets", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    ids = pieces_of([t for _, t in read_texts(args.texts, args.limit)], tokenizer(folder()))
    targets = np.load(args.targets / "texts.npy").astype(np.float32)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    basis = projection(targets)
    projected = targets @ basis
    projected /= np.linalg.norm(projected, axis=1, keepdims=True)
    rows = (np.load(args.targets / "pieces.npy") @ basis) * sif_weights(ids)[:, None]
    table = Table(rows.astype(np.float32))
    train(table, ids, projected, args.epochs, args.batch, args.rate, args.seed)
    trained = table.rows.weight.detach().numpy()
    save(args.out, trained)
    np.save(args.out / "float.npy", trained)  # for measuring what int8 loses; not shipped
    rare_bits(ids).tofile(args.out / "static-256.rare.bits")


if __name__ == "__main__":
    main()
