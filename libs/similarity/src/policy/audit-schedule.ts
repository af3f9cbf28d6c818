import { FadingSums } from './fading.ts';

/** So many local observations of a kind are enough; with fewer, audits come more often, as many times as these are more, */
const ENOUGH = 250;
/** but never more than so many times as often as the operator asked for: an audit costs a call, and somebody is surprised by a miss; */
const SCARCE_FACTOR = 4;
/** and at most so many ahead of the share; what was taken ahead is given back by auditing a quarter less. */
const AHEAD = 20;
const REPAYING = 0.75;
/** A match that is not served in any case costs no further call of the provider: so many times the share, at most half of them. */
const REFUSED_FACTOR = 25;
const REFUSED_MAX = 0.5;

/** When one replica audits the would-be hits of one (tenant, model). Over time it stays within the share, but for AHEAD. */
export class AuditSchedule {
  private readonly counts: FadingSums<'wouldBe' | 'audits'>;

  constructor(halfLifeDays: number) {
    this.counts = new FadingSums(['wouldBe', 'audits'], halfLifeDays);
  }

  /** Whether to audit this would-be hit. `observations`: what is known of its kind here; `random` in [0, 1). */
  audits(share: number, observations: number, random: number, nowMs: number): boolean {
    this.counts.add({ wouldBe: 1 }, nowMs);
    const { wouldBe, audits } = this.counts.at(nowMs);
    if (random >= probabilityOf(share, audits - share * wouldBe, observations)) return false;
    this.counts.add({ audits: 1 }, nowMs);
    return true;
  }
}

function probabilityOf(share: number, ahead: number, observations: number): number {
  if (observations < ENOUGH && ahead + 1 <= AHEAD) return share * Math.min(SCARCE_FACTOR, ENOUGH / Math.max(1, observations));
  return ahead > 0 ? share * REPAYING : share;
}

/** Whether to compare a match that is not served with what the provider says anyway. */
export const auditsRefused = (share: number, random: number): boolean => random < Math.max(share, Math.min(REFUSED_MAX, REFUSED_FACTOR * share));
