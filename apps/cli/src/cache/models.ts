import { CrossEncoder, readCalibration, readLexicon, readModelFiles, StaticEmbedder, type Calibration } from '@deja/similarity';
import { MODELS } from '../models-folder.ts';
import { Verdicts } from './verdicts.ts';

export interface Models {
  embedder: StaticEmbedder;
  calibration: Calibration;
  verdicts: Verdicts;
  /** `id/version` of the neural verifier; null: there is none. */
  verifier: string | null;
  /** Why there is none although it was asked for; null where it is there, or was not asked for. */
  whyNoVerifier: string | null;
  close(): Promise<void>;
}

/** What the semantic-cache decides with, from the repository. Rejects with an Error that names the file where one is missing or is another. */
export async function readModels({ neural, folder = MODELS }: { neural: boolean; folder?: URL }): Promise<Models> {
  let whyNoVerifier: string | null = null;
  const logger = { warn: (fields: object): void => { whyNoVerifier = 'reason' in fields ? String(fields.reason) : 'it did not start'; } };
  const [files, lexicon, calibration, crossEncoder] = await Promise.all([
    readModelFiles(new URL('static-256/', folder)),
    readLexicon(new URL('lexicon/', folder)),
    readCalibration(new URL('calibration/', folder)),
    neural ? CrossEncoder.open({ model: new URL('verifier/', folder), logger }) : null,
  ]);
  return {
    embedder: new StaticEmbedder(files),
    calibration,
    verdicts: new Verdicts(lexicon, crossEncoder),
    verifier: crossEncoder?.name ?? null,
    whyNoVerifier,
    close: async () => crossEncoder?.close(),
  };
}
