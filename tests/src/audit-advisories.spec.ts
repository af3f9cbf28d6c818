import { describe, expect, test } from '@jest/globals';
import { verdictOf, type Allowed } from '../../tools/audit.ts';

const cause = (id: string, severity: string): object => ({ source: 1, name: 'left-pad', dependency: 'left-pad', title: 'Pads too far', url: `https://github.com/advisories/${id}`, severity, range: '<2' });
const report = (...via: (object | string)[]): string => JSON.stringify({ auditReportVersion: 2, vulnerabilities: { 'left-pad': { name: 'left-pad', severity: 'high', via }, other: { name: 'other', severity: 'high', via: ['left-pad'] } } });
const allowed = (id: string, until: string): Allowed => ({ id, reason: 'not reached', until });
const ids = (list: readonly { id: string }[]): string[] => list.map(({ id }) => id);

describe('an audit of dependencies', () => {
  test.each(['', 'npm error', '{"message":"405 Method Not Allowed","error":{"summary":""}}', 'null', '[]'])('was not made where no advisories came: %j', (output) => {
    expect(verdictOf(output, [], '2026-11-27').kind).toBe('not made');
  });

  test('stops at what is high or critical, once for each advisory, and at nothing less', () => {
    const verdict = verdictOf(report(cause('GHSA-a', 'high'), cause('GHSA-b', 'critical'), cause('GHSA-c', 'moderate'), cause('GHSA-a', 'high')), [], '2026-11-27');
    expect(verdict.kind === 'made' && ids(verdict.found)).toEqual(['GHSA-a', 'GHSA-b']);
  });

  test('lets pass what is on the list until its day, and says when that is over', () => {
    const output = report(cause('GHSA-a', 'high'), cause('GHSA-b', 'high'));
    const verdict = verdictOf(output, [allowed('GHSA-a', '2026-11-27'), allowed('GHSA-b', '2026-11-26')], '2026-11-27');
    expect(verdict.kind === 'made' && [ids(verdict.found), ids(verdict.allowed), ids(verdict.expired)]).toEqual([['GHSA-b'], ['GHSA-a'], ['GHSA-b']]);
  });
});
