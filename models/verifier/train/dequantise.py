"""Reads the weights of an int8 verifier back into a checkpoint, so that its training is not lost.

    python dequantise.py --onnx ../verifier.int8.onnx --layers 3 --out baseline.pt
"""

from __future__ import annotations

import argparse

import numpy as np
import onnx
import torch
from onnx import ModelProto, numpy_helper

from bert import Verifier, from_teacher


def weights_in_order(model: ModelProto) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """Named float tensors and embeddings; and the matrices of MatMulInteger nodes in order of the graph."""
    raw = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}

    def floats(name: str) -> np.ndarray:
        scale, zero = raw[f"{name}_scale"], raw[f"{name}_zero_point"]
        return (raw[f"{name}_quantized"].astype(np.float32) - zero.astype(np.float32)) * scale

    named = {k: v for k, v in raw.items() if k.startswith(("b.", "h.")) and v.dtype == np.float32 and "_scale" not in k}
    for table in ("b.we.weight", "b.pe.weight", "b.te.weight"):
        named[table] = floats(table)
    matrices = [n.input[1].removesuffix("_quantized") for n in model.graph.node if n.op_type == "MatMulInteger"]
    return named, [floats(m) for m in matrices]


def dequantise(path: str, layers: int) -> Verifier:
    """A verifier with `layers` layers whose weights come from the int8 file.

    The word table is the teacher's (training never moves it). Layers that the file does not have are the teacher's.
    """
    verifier = Verifier(from_teacher(layers))
    named, matrices = weights_in_order(onnx.load(path))
    state = verifier.state_dict()
    order = [f"b.L.{i}.{part}.weight" for i in range((len(matrices) - 1) // 6) for part in ("q", "k", "v", "o", "f1", "f2")]
    for name, matrix in zip([*order, "h.weight"], matrices, strict=True):
        if name in state:
            state[name] = torch.from_numpy(matrix.T.copy())  # ONNX stores x @ W, torch x @ W.T
    for name, value in named.items():
        if name in state and name != "b.we.weight":
            state[name] = torch.from_numpy(value.copy()).reshape(state[name].shape)
    verifier.load_state_dict(state)
    return verifier


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onnx", required=True)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    torch.save(dequantise(args.onnx, args.layers).state_dict(), args.out)
