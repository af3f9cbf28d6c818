"""Makes the models of a few hundred bytes beside this file, for tests: python make-models.py (needs numpy and onnx).

verifier/: a cross-encoder whose logit tells the two orders of a pair apart, so that the lower of both can be checked:
  logit = sum over the tokens of id * (1 + token type) / 100
transformer/: a sentence-transformer that looks each token up in a table of 3 dimensions; row of piece i = (1, i, i * i) / 100.
"""
import hashlib
import json
import pathlib

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

HERE = pathlib.Path(__file__).parent
INT64, FLOAT = TensorProto.INT64, TensorProto.FLOAT
NAMES = ["input_ids", "attention_mask", "token_type_ids"]


def constant(name, value):
    return numpy_helper.from_array(np.asarray(value), name)


def write(path, nodes, inputs, outputs, constants):
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info(name, INT64, ["batch", "time"]) for name in inputs],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs],
        constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="deja")
    checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(model, path)


def verifier(folder, pieces):
    write(folder / "verifier.onnx", [
        helper.make_node("Add", ["token_type_ids", "one"], ["weight"]),
        helper.make_node("Mul", ["input_ids", "weight"], ["weighted"]),
        helper.make_node("Mul", ["weighted", "attention_mask"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "axis"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["float"], to=FLOAT),
        helper.make_node("Div", ["float", "hundred"], ["logit"]),
    ], NAMES, [("logit", ["batch"])], [constant("one", np.int64(1)), constant("axis", np.array([1])), constant("hundred", np.float32(100))])
    vocabulary = "\n".join(pieces) + "\n"
    (folder / "vocab.txt").write_text(vocabulary)
    sha256 = lambda content: hashlib.sha256(content).hexdigest()
    manifest = {
        "id": "tiny-verifier", "version": 1, "maxPieces": 6,
        "files": {
            "model": {"file": "verifier.onnx", "sha256": sha256((folder / "verifier.onnx").read_bytes())},
            "vocabulary": {"file": "vocab.txt", "sha256": sha256(vocabulary.encode())},
        },
        "thresholds": {"balanced": 10.0, "cautious": 20.0},
        "calibration": [[0, 0.9], [10, 0.1], [20, 0.01]],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def transformer(folder, pieces):
    table = np.array([[1, i, i * i] for i in range(len(pieces))], np.float32) / 100
    mask = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["rows", "mask3"], ["last_hidden_state"]),
    ]
    constants = [constant("table", table), constant("last", np.array([2]))]
    write(folder / "model.onnx", mask, NAMES[:2], [("last_hidden_state", ["batch", "time", 3])], constants)
    # The same, pooled by its largest values inside the model: what comes out differs from a mean made outside.
    pooled = [*mask, helper.make_node("ReduceMax", ["last_hidden_state"], ["sentence_embedding"], axes=[1], keepdims=0)]
    outputs = [("last_hidden_state", ["batch", "time", 3]), ("sentence_embedding", ["batch", 3])]
    write(folder / "pooled.onnx", pooled, NAMES[:2], outputs, constants)
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 8}) + "\n")


WORDS = ["turn", "dark", "mode", "on", "off", "the", "a", "light", "##s", "?"]
# [CLS] and [SEP] stand where BERT's uncased vocabulary has them, because a verifier's are fixed.
BERT_LIKE = ["[PAD]"] + [f"[unused{i}]" for i in range(99)] + ["[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS
verifier(HERE / "verifier", BERT_LIKE)
transformer(HERE / "transformer", ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + WORDS)
