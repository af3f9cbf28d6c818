"""Checkpoint to ONNX, then to int8 (dynamic, a scale for each output channel).

    python export.py --checkpoint out.pt --layers 4 --out ../verifier.int8.onnx
"""

from __future__ import annotations

import argparse
import os
import tempfile

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from bert import Verifier, from_teacher
from packing import pack
from scoring import NAMES


def export(checkpoint: str, layers: int, out: str, float_out: str | None = None) -> None:
    """Writes the int8 file, and the float file where asked."""
    model = Verifier(from_teacher(layers))
    model.load_state_dict(torch.load(checkpoint))
    model.eval()
    example = pack([([2003, 2009], [2003, 2010, 2011]), ([2003], [2010, 2011])])  # two lengths: the mask stays an input
    with tempfile.TemporaryDirectory() as folder:
        plain = float_out or os.path.join(folder, "verifier.onnx")
        torch.onnx.export(
            model,
            example,
            plain,
            input_names=list(NAMES),
            output_names=["logit"],
            dynamic_axes={name: {0: "batch", 1: "time"} for name in NAMES} | {"logit": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(plain, out, weight_type=QuantType.QInt8, per_channel=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--layers", type=int, required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--float-out", help="keep the float32 file too")
    args = parser.parse_args()
    export(args.checkpoint, args.layers, args.out, args.float_out)
