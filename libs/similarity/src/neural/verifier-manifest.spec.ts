import { readFileSync } from 'node:fs';
import { parseVerifierManifest } from './verifier-manifest.ts';

const MANIFEST = {
  id: 'verifier', version: 2, maxPieces: 60,
  files: { model: { file: 'verifier.onnx', sha256: 'ab' }, vocabulary: { file: 'vocab.txt', sha256: 'cd' } },
  thresholds: { balanced: 3, cautious: 3.4 },
  calibration: [[0, 0.5], [3, 0.02]],
};

test('a manifest gives what running the model needs', () => {
  expect(parseVerifierManifest(JSON.stringify({ ...MANIFEST, description: 'and more' }))).toEqual({
    name: 'verifier/2', maxPieces: 60, files: MANIFEST.files, thresholds: MANIFEST.thresholds, calibration: MANIFEST.calibration,
  });
});

test('the manifest of the verifier that ships is one', () => {
  expect(() => parseVerifierManifest(readFileSync(new URL('../../../../models/verifier/manifest.json', import.meta.url), 'utf8'))).not.toThrow();
});

test.each([
  [{ thresholds: { balanced: 3 } }, 'thresholds.cautious must be a number.'],
  [{ maxPieces: 0 }, 'maxPieces must be a whole number from 1.'],
  [{ files: { model: MANIFEST.files.model } }, 'files.vocabulary must be an object.'],
  [{ files: { ...MANIFEST.files, model: { file: '' } } }, 'files.model.file must be a text.'],
  [{ calibration: [] }, 'calibration must be a list of [logit, wrong].'],
  [{ calibration: [[0, 1.5]] }, 'calibration[0][1] must be in [0, 1].'],
  [{ calibration: [[0, 0.5], [0, 0.4]] }, 'calibration[1] must have a higher logit'],
  [{ calibration: [[0, 0.5], [1, 0.6]] }, 'no higher share of wrong ones'],
])('a manifest with %j is refused by the name of the field', (change, message) => {
  expect(() => parseVerifierManifest(JSON.stringify({ ...MANIFEST, ...change }))).toThrow(message);
});
