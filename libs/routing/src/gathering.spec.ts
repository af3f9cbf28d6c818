import { expect, test } from '@jest/globals';
import type { Candidate } from '@deja/contracts';
import fc from 'fast-check';
import { credential, deployment, model, snapshot } from '../test/tables.ts';
import { Gathering } from './gathering.ts';
import { indexOf } from './snapshot-index.ts';

/** Which candidate of which group, of so many credentials each. */
function gathered(sizes: number[], limit: number, attempts: number): string[] {
  const table = snapshot([model('m', sizes.map((_, n) => `p${n}/m`))], sizes.map((_, n) => deployment(`p${n}/m`)));
  const indexed = indexOf(table).of(table.models[0]!);
  const gathering = new Gathering(limit);
  sizes.forEach((size, n) => {
    if (gathering.isFull) return;
    let taken = 0;
    const part = indexed.segments[0]![n]!;
    const take = () => ({ ref: credential(String(taken++)), key: '', hash: 0, weight: 1, unavailableUntilMs: 0, isRetiring: false, isTroubled: false, isFailing: false, deployment: part.deployment });
    gathering.add({ lane: { indexed, name: 'm', choosing: false, segments: [], canary: null, isChecked: false, isSticky: false }, part, purse: { count: (most) => Math.min(size, most), take } });
  });
  return gathering.candidates(attempts).map((c: Candidate) => `${c.deployment.id}#${c.credential!.id}`);
}

/** The rule itself: everyone's sure ones first come first served, then the rest in order. */
function byTheRule(sizes: number[], room: number): string[] {
  const groups = sizes.map((size, n) => Array.from({ length: size }, (_, k) => `p${n}/m#${k}`));
  const sure = new Set(groups.flatMap((group, n) => group.slice(0, n === 0 ? 2 : 1)).slice(0, room));
  let left = room - sure.size;
  return groups.flat().filter((name) => sure.has(name) || left-- > 0);
}

const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 20 });

test('the first attempts are spread by the rule, and so is the whole; a full gathering needs no more deployments', () => {
  fc.assert(fc.property(sizes, fc.integer({ min: 1, max: 20 }), (of, attempts) => {
    const limit = Math.max(16, attempts);
    const chosen = gathered(of, limit, attempts);
    expect(chosen.slice(0, attempts)).toEqual(byTheRule(of, attempts));
    expect(chosen.toSorted()).toEqual(byTheRule(of, limit).toSorted());
  }));
});
