"""Trains the verifier on labelled pairs: binary cross-entropy, AdamW, word table frozen, fp32 on the CPU.

    python train.py --pairs a.jsonl.gz [b.jsonl.gz ...] --start start.pt --layers 4 --minutes 60 --workers 2 --out out.pt

With several workers each trains on its own batches with one thread; every SYNC_STEPS steps their weights are
averaged. On a busy machine this is faster than threads within one matrix product.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Iterator

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from bert import Verifier, from_teacher
from packing import Pieces, pack, pieces_of
from pairs_file import Pair, read_pairs

BATCH = 16
SYNC_STEPS = 20
WARM_UP_STEPS = 100
SMOOTHING = 0.02  # labels .02 and .98: generated labels are not all right


def batches(a: list[Pieces], b: list[Pieces], rng: np.random.Generator) -> Iterator[list[int]]:
    """Endless batches of indices, near in length within one batch."""
    while True:
        order = rng.permutation(len(a))
        for start in range(0, len(order), BATCH * 20):
            block = sorted(order[start : start + BATCH * 20], key=lambda i: len(a[i]) + len(b[i]))
            chunks = [block[i : i + BATCH] for i in range(0, len(block), BATCH)]
            for k in rng.permutation(len(chunks)):
                yield chunks[k]


def average(model: nn.Module, workers: int) -> None:
    """Replaces the trained weights of all workers by their mean."""
    flat = torch.cat([p.data.reshape(-1) for p in model.parameters() if p.requires_grad])
    dist.all_reduce(flat)
    flat /= workers
    at = 0
    for p in model.parameters():
        if p.requires_grad:
            p.data.copy_(flat[at : at + p.numel()].view_as(p))
            at += p.numel()


def step_loss(model: Verifier, rows: list[int], a: list[Pieces], b: list[Pieces], same: Tensor, swap: bool) -> Tensor:
    """Loss of one batch, the texts in one order or the other."""
    logit = model(*pack([(b[i], a[i]) if swap else (a[i], b[i]) for i in rows]))
    target = same[rows] * (1 - 2 * SMOOTHING) + SMOOTHING
    return nn.functional.binary_cross_entropy_with_logits(logit, target)


def work(rank: int, args: argparse.Namespace, pairs: list[Pair]) -> None:
    """One worker: trains until the time is over; worker 0 writes the checkpoint every few minutes and at the end."""
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng, coin = np.random.default_rng(args.seed + rank), random.Random(args.seed + rank)
    if args.workers > 1:
        dist.init_process_group("gloo", init_method=f"file://{args.out}.rendezvous", rank=rank, world_size=args.workers)
    model = Verifier(from_teacher(args.layers))
    if args.start:
        model.load_state_dict(torch.load(args.start), strict=True)
    model.b.we.weight.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(trained, lr=args.rate, weight_decay=0.01)
    a, b = pieces_of(p.a for p in pairs), pieces_of(p.b for p in pairs)
    same = torch.tensor([float(p.same) for p in pairs])
    began, saved, mean = time.monotonic(), time.monotonic(), 0.0
    for step, rows in enumerate(batches(a, b, rng), 1):
        spent = (time.monotonic() - began) / (args.minutes * 60)
        finished = torch.tensor([float(spent >= 1 or step > args.steps)])
        rate = args.rate * min(1, step / WARM_UP_STEPS) * max(args.floor, 1 - spent)
        for group in adam.param_groups:
            group["lr"] = rate
        loss = step_loss(model, rows, a, b, same, coin.random() < 0.5)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        adam.step()
        mean = 0.99 * mean + 0.01 * loss.item() if step > 1 else loss.item()
        if step % SYNC_STEPS == 0:
            if args.workers > 1:
                average(model, args.workers)
                dist.all_reduce(finished, op=dist.ReduceOp.MAX)  # all workers leave after the same step
            if finished.item():
                break
        if rank == 0 and step % 100 == 0:
            print(f"step {step} pairs {step * BATCH * args.workers} loss {mean:.4f} {time.monotonic() - began:.0f}s", flush=True)
        if rank == 0 and time.monotonic() - saved > args.save_minutes * 60:
            torch.save(model.state_dict(), args.out)
            saved = time.monotonic()
    if rank == 0:
        torch.save(model.state_dict(), args.out)
        print(f"done: {step} steps, {step * BATCH * args.workers} pairs, {(time.monotonic() - began) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", nargs="+", required=True)
    parser.add_argument("--start", help="checkpoint to start from; the teacher's layers when absent")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--steps", type=int, default=1_000_000, help="at most this many steps")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1.5e-4)
    parser.add_argument("--floor", type=float, default=0.02, help="the rate falls to this share of itself, linearly")
    parser.add_argument("--save-minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--most", type=int, help="at most this many pairs of each file")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    options.out = os.path.abspath(options.out)
    if os.path.exists(f"{options.out}.rendezvous"):
        os.remove(f"{options.out}.rendezvous")
    data = [p for path in options.pairs for p in read_pairs(path)[: options.most]]
    print(f"{len(data)} pairs, {sum(p.same for p in data)} the same", flush=True)
    if options.workers == 1:
        work(0, options, data)
    else:
        mp.spawn(work, args=(options, data), nprocs=options.workers)
