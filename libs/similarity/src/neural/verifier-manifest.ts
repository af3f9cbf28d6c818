import type { CalibrationPoint } from './calibration.ts';

export type ThresholdName = 'balanced' | 'cautious';

/** The part of a verifier's manifest that running it needs. */
export interface VerifierManifest {
  /** `id/version`: opinions of different ones are different evidence. */
  name: string;
  /** Of each of the two texts; the model was not trained on longer ones. */
  maxPieces: number;
  files: Record<'model' | 'vocabulary', { file: string; sha256: string }>;
  /** Logits from which two texts count as the same. */
  thresholds: Record<ThresholdName, number>;
  calibration: readonly CalibrationPoint[];
}

/** Throws an Error that names the first field that is not as it must be. */
export function parseVerifierManifest(text: string): VerifierManifest {
  const manifest = objectAt(JSON.parse(text), 'The manifest');
  const files = objectAt(manifest['files'], 'files');
  const thresholds = objectAt(manifest['thresholds'], 'thresholds');
  const maxPieces = numberAt(manifest['maxPieces'], 'maxPieces');
  if (!Number.isSafeInteger(maxPieces) || maxPieces < 1) throw new Error('maxPieces must be a whole number from 1.');
  return {
    name: `${stringAt(manifest['id'], 'id')}/${numberAt(manifest['version'], 'version')}`,
    maxPieces,
    files: { model: fileAt(files['model'], 'files.model'), vocabulary: fileAt(files['vocabulary'], 'files.vocabulary') },
    thresholds: { balanced: numberAt(thresholds['balanced'], 'thresholds.balanced'), cautious: numberAt(thresholds['cautious'], 'thresholds.cautious') },
    calibration: calibrationAt(manifest['calibration']),
  };
}

function fileAt(value: unknown, path: string): { file: string; sha256: string } {
  const { file, sha256 } = objectAt(value, path);
  return { file: stringAt(file, `${path}.file`), sha256: stringAt(sha256, `${path}.sha256`) };
}

function calibrationAt(value: unknown): CalibrationPoint[] {
  const points = Array.isArray(value) ? (value as unknown[]) : [];
  if (points.length === 0) throw new Error('calibration must be a list of [logit, wrong].');
  const parsed = points.map((point, i): CalibrationPoint => {
    const [logit, wrong] = Array.isArray(point) ? (point as unknown[]) : [];
    return [numberAt(logit, `calibration[${i}][0]`), numberAt(wrong, `calibration[${i}][1]`)];
  });
  for (const [i, [logit, wrong]] of parsed.entries()) {
    const before = parsed[i - 1];
    if (wrong < 0 || wrong > 1) throw new Error(`calibration[${i}][1] must be in [0, 1].`);
    if (before !== undefined && (logit <= before[0] || wrong > before[1])) throw new Error(`calibration[${i}] must have a higher logit than the point before, and no higher share of wrong ones.`);
  }
  return parsed;
}

function objectAt(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${path} must be an object.`);
  return value as Record<string, unknown>;
}

function stringAt(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '') throw new Error(`${path} must be a text.`);
  return value;
}

function numberAt(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error(`${path} must be a number.`);
  return value;
}
