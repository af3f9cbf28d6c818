import { appendFile, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CrossEncoder, type CrossEncoderOptions } from '../src/neural/cross-encoder.ts';
import { describeWithRuntime, REQUIREMENT } from './runtime.ts';

const TINY = new URL('./models/verifier/', import.meta.url);
const SHIPPED = new URL('../../../models/verifier/', import.meta.url);
const PATIENT_MS = 25_000;
const warnings: Record<string, unknown>[] = [];
const logger = { warn: (fields: object): void => void warnings.push(fields as Record<string, unknown>) };

beforeEach(() => void warnings.splice(0));

async function withEncoder(options: Partial<CrossEncoderOptions>, body: (encoder: CrossEncoder) => Promise<void>): Promise<void> {
  const encoder = await CrossEncoder.open({ model: TINY, logger, ...options });
  if (encoder === null) throw new Error(`no cross-encoder: ${String(warnings[0]?.['reason'])}`);
  try {
    await body(encoder);
  } finally {
    await encoder.close();
  }
}

/** By the recipe of the tiny model: the sum of id × (1 + token type), the lower of both orders, / 100. */
function tinyLogit(a: number[], b: number[]): number {
  const order = (x: number[], y: number[]): number => [101, ...x, 102].reduce((sum, id) => sum + id, 0) + 2 * [...y, 102].reduce((sum, id) => sum + id, 0);
  return Math.min(order(a, b), order(b, a)) / 100;
}

describeWithRuntime(`a cross-encoder, ${REQUIREMENT}`, () => {
  test('an opinion is the lower logit of both orders, its calibrated risk, and whether it reaches the threshold', () =>
    withEncoder({}, async (encoder) => {
      const logit = tinyLogit([104, 105], [111]);
      const [opinion] = await encoder.opinions([['turn dark', 'Light']], PATIENT_MS);
      expect(opinion!.logit).toBeCloseTo(logit, 4);
      expect(opinion!.wrong).toBeCloseTo(0.9 - (logit / 10) * 0.8, 4);
      expect(opinion!.same).toBe(false);
      expect(encoder.name).toBe('tiny-verifier/1');
    }));

  test('the cautious threshold asks for more than the balanced one', async () => {
    const pair: [string, string] = ['turn on the light', 'turn the light on'];
    const same = async (threshold: 'balanced' | 'cautious'): Promise<boolean | undefined> => {
      let found: boolean | undefined;
      await withEncoder({ threshold }, async (encoder) => void (found = (await encoder.opinions([pair], PATIENT_MS))[0]?.same));
      return found;
    };
    expect(await same('balanced')).toBe(true);
    expect(await same('cautious')).toBe(false);
  });

  test('what the model would not see in full gets no opinion: too long, an unknown word, no word', () =>
    withEncoder({}, async (encoder) => {
      const fits = 'turn on the dark mode ?';
      const opinions = await encoder.opinions([['turn', fits], ['turn', `${fits} ?`], ['turn', 'turn 🍕'], ['', 'turn'], ['turn', ' ']], PATIENT_MS);
      expect(opinions.map((opinion) => opinion !== null)).toEqual([true, false, false, false, false]);
    }));

  test('a crowd is refused, an opinion that is known is given at once', () =>
    withEncoder({ maxWaiting: 1 }, async (encoder) => {
      expect(await encoder.opinions([['turn on', 'turn off'], ['turn', 'light'], ['dark', 'light']], PATIENT_MS)).toEqual([expect.anything(), expect.anything(), null]);
      const leaving = AbortSignal.abort();
      expect(await encoder.opinions([['mode', 'light']], PATIENT_MS, leaving)).toEqual([null]);
      // Remembered: no thread is asked, so nothing can be late.
      expect(await encoder.opinions([['turn off', 'turn on']], PATIENT_MS, leaving)).toEqual([expect.objectContaining({ same: true })]);
    }));

  test('only as many opinions are remembered as were asked for', () =>
    withEncoder({ maxRemembered: 1 }, async (encoder) => {
      await encoder.opinions([['turn', 'light']], PATIENT_MS);
      await encoder.opinions([['dark', 'light']], PATIENT_MS);
      expect(await encoder.opinions([['turn', 'light'], ['dark', 'light']], PATIENT_MS, AbortSignal.abort())).toEqual([null, expect.anything()]);
    }));

  test('the vocabulary may be given, but it must be the one the model was trained with', async () => {
    const file = new URL('vocab.txt', TINY);
    await withEncoder({ vocabulary: file }, async (encoder) => expect(encoder).toBeInstanceOf(CrossEncoder));
    await withEncoder({ vocabulary: await readFile(file, 'utf8') }, async (encoder) => expect(encoder).toBeInstanceOf(CrossEncoder));
    expect(await CrossEncoder.open({ model: TINY, vocabulary: '[UNK]\nturn', logger })).toBeNull();
    expect(warnings).toEqual([expect.objectContaining({ reason: expect.stringContaining('vocabulary') as string })]);
  });

  test('a model that is not the one of its manifest is not run', async () => {
    const copy = await mkdtemp(join(tmpdir(), 'verifier-'));
    try {
      await cp(TINY, copy, { recursive: true });
      await appendFile(join(copy, 'verifier.onnx'), 'x');
      expect(await CrossEncoder.open({ model: pathToFileURL(`${copy}/`), logger })).toBeNull();
      expect(warnings).toEqual([expect.objectContaining({ reason: expect.stringContaining('verifier.onnx is not the one its manifest describes') as string })]);
      await rm(join(copy, 'verifier.onnx'));
      expect(await CrossEncoder.open({ model: pathToFileURL(`${copy}/`), logger })).toBeNull();
      expect(warnings[1]).toMatchObject({ reason: expect.stringContaining('cannot be read') as string });
    } finally {
      await rm(copy, { recursive: true });
    }
  });

  test('the verifier that ships says the same in either order, alone and in company, the first time and later', () =>
    withEncoder({ model: SHIPPED, maxRemembered: 0 }, async (encoder) => {
      const pairs: [string, string][] = [
        ['How do I turn on dark mode?', 'how can i enable dark mode'],
        ['How do I reset my password?', 'What is the quickest way to recover the password of an account that was closed in the spring?'],
        ['cancel an order', 'refund an order'],
      ];
      const together = await encoder.opinions(pairs, PATIENT_MS);
      expect(together.every((opinion) => opinion !== null)).toBe(true);
      const turned = await encoder.opinions(pairs.map(([a, b]): [string, string] => [b, a]).reverse(), PATIENT_MS);
      expect(turned.reverse()).toEqual(together);
      for (const [i, pair] of pairs.entries()) expect(await encoder.opinions([pair], PATIENT_MS)).toEqual([together[i]]);
    }));
});

test('without a model there is no cross-encoder, and the log says why', async () => {
  expect(await CrossEncoder.open({ model: new URL('./no-such-model/', import.meta.url), logger })).toBeNull();
  expect(warnings).toEqual([expect.objectContaining({ reason: expect.stringContaining('manifest.json') as string })]);
});
