import { describe, expect, test } from '@jest/globals';
import type { AlertSilence } from '@deja/contracts';
import { alertId, silenceOf, tidyLabels } from './labels.ts';

const silence = (of: Partial<AlertSilence> = {}): AlertSilence => ({ id: 's', alert: null, labels: {}, startsAtMs: 100, endsAtMs: 200, comment: '', ...of });

describe('an alert’s id', () => {
  test('is the same in whichever order its labels stand, and another one for other labels or another rule', () => {
    const id = alertId('r', { tenant: 'acme', key: 'k' });
    expect(alertId('r', { key: 'k', tenant: 'acme' })).toBe(id);
    expect(new Set([id, alertId('r', { tenant: 'acme' }), alertId('r', { tenant: 'k', key: 'acme' }), alertId('q', { tenant: 'acme', key: 'k' })]).size).toBe(4);
    expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  test('labels are what Postgres can store', () => {
    expect(tidyLabels({ user: 'a\0b', tenant: 'acme', key: null })).toEqual({ tenant: 'acme', user: 'a\u{fffd}b' });
  });
});

describe('a silence', () => {
  test('matches all that it does not name', () => {
    expect(silenceOf([silence()], 'burn', { tenant: 'acme' }, 150)?.id).toBe('s');
    expect(silenceOf([silence({ alert: 'burn', labels: { tenant: 'acme' } })], 'burn', { tenant: 'acme', key: 'k' }, 150)?.id).toBe('s');
    expect(silenceOf([silence({ alert: 'slow' })], 'burn', {}, 150)).toBeNull();
    expect(silenceOf([silence({ labels: { tenant: 'acme' } })], 'burn', {}, 150)).toBeNull();
  });

  test('holds from its beginning until its end, which is no part of it', () => {
    expect([99, 100, 199, 200].map((atMs) => silenceOf([silence()], 'burn', {}, atMs) !== null)).toEqual([false, true, true, false]);
  });
});
