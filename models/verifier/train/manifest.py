"""Writes manifest.json from an evaluated model: sizes, checksums, thresholds, calibration, figures.

    python manifest.py --figures figures.json --shipped shipped --baseline baseline --training training.json --version 1
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pathlib

FOLDER = pathlib.Path(__file__).parent.parent


def described(name: str, holds: str) -> dict[str, str | int]:
    """Name, size, checksum and content of a file beside the manifest."""
    body = (FOLDER / name).read_bytes()
    return {"file": name, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "holds": holds}


def main() -> None:
    """Reads the figures, writes the manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=pathlib.Path, required=True)
    parser.add_argument("--shipped", default="shipped")
    parser.add_argument("--baseline", default="baseline")
    parser.add_argument("--training", type=pathlib.Path, default=pathlib.Path(__file__).parent / "training.json")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--version", type=int, default=1)
    args = parser.parse_args()
    figures = json.loads(args.figures.read_text(encoding="utf-8"))
    shipped = figures[args.shipped]
    manifest = {
        "id": "verifier-3",
        "version": args.version,
        "description": "Cross-encoder for English prompts: one logit for 'both ask for the same answer'. The score of a pair is the smaller logit of both orders.",
        "layers": args.layers,
        "maxPieces": 60,
        "files": {
            "model": described(
                "verifier.int8.onnx",
                "ONNX, int8 weights; inputs input_ids, attention_mask, token_type_ids: int64 [batch, time], [CLS] a [SEP] b [SEP]; "
                "output logit: float32 [batch]",
            ),
            "vocabulary": described("../static-256/vocab.txt", "BERT uncased WordPiece vocabulary, one piece a line"),
        },
        "thresholds": shipped["thresholds"],
        "calibration": shipped["calibration"],
        "training": json.loads(args.training.read_text(encoding="utf-8")),
        "figures": {
            "set": "bench/semantic/data/pairs.jsonl.gz",
            "gateAlone": figures.get("gateAlone"),
            "baseline": {"thresholds": figures[args.baseline]["thresholds"], **figures[args.baseline]["test"]},
            "shipped": {"thresholds": shipped["thresholds"], **shipped["test"]},
        },
    }
    (FOLDER / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
