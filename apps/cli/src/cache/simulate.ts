import type { Readable } from 'node:stream';
import { BadLines } from './bad-lines.ts';
import { fileLines } from './lines.ts';
import { loggedRequest } from './logged-request.ts';
import { byRisk, FirstOf, SeenPairs, type MergedPair } from './merged-pairs.ts';
import { readModels } from './models.ts';
import { PairsFile } from './pairs-file.ts';
import { Replay, type ReplaySettings } from './replay.ts';
import { simulationReport, type SimulationReport } from './simulation-report.ts';

export interface SimulateOptions extends ReplaySettings {
  /** `-` is standard input. */
  file: string;
  /** How many merged pairs the report has. */
  pairs: number;
  /** Where all of them go; null: nowhere. */
  pairsOut: string | null;
  /** Requests to read at most; null: all. */
  limit: number | null;
}

/** `deja cache simulate`. Rejects with a CliFailure where there is nothing to be read. `note` is told what the reader should know besides. */
export async function simulate(options: SimulateOptions, stdin: Readable, note: (text: string) => Promise<void>): Promise<SimulationReport> {
  const models = await readModels({ neural: options.verification === 'balanced' });
  const out = options.pairsOut === null ? null : await PairsFile.create(options.pairsOut);
  try {
    if (models.whyNoVerifier !== null) await note(`There is no neural verifier: words decide alone, as in strict. ${models.whyNoVerifier}`);
    const riskiest = new FirstOf<MergedPair>(options.pairs, byRisk);
    const seen = new SeenPairs();
    let merged = 0;
    const replay = new Replay(options, models, (pair) => {
      if (!seen.isNew(pair)) return;
      merged++;
      riskiest.offer(pair);
      out?.add(pair);
    });
    const bad = await replayFile(replay, options, stdin, async () => out?.drain());
    return simulationReport({ settings: options, verifier: models.verifier, replay, bad, merged, pairs: riskiest.items });
  } finally {
    await out?.close();
    await models.close();
  }
}

async function replayFile(replay: Replay, { file, limit }: Pick<SimulateOptions, 'file' | 'limit'>, stdin: Readable, after: () => Promise<void>): Promise<BadLines> {
  const bad = new BadLines();
  if (limit === 0) return bad;
  for await (const { number, text } of fileLines(file, stdin)) {
    const request = text === null ? { problem: 'is too long' } : loggedRequest(text);
    if ('problem' in request) bad.add(number, request.problem);
    else await replay.take(request, number);
    await after();
    if (replay.requests === limit) break;
  }
  bad.orNone(replay.requests, file, 'a chat request');
  return bad;
}
