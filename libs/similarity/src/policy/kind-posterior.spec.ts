import fc from 'fast-check';
import { betaQuantile } from './beta.ts';
import { KindPosterior, type LocalCounts } from './kind-posterior.ts';

const EXACT = { stranger: { wrong: 1, right: 1 }, comparison: { falseAlarm: 0, missed: 0 } };
const ERRING = { stranger: { wrong: 0.5, right: 10 }, comparison: { falseAlarm: 0.01, missed: 0.05 } };
const NOTHING: LocalCounts = { audits: 0, wrongAudits: 0, reports: 0, wrongReports: 0 };
const counts = fc.record({ audits: fc.nat(400), wrong: fc.nat(30), reports: fc.nat(20), wrongReports: fc.nat(5) }).map(({ audits, wrong, reports, wrongReports }) => ({
  audits: audits + wrong, wrongAudits: wrong, reports: reports + wrongReports, wrongReports,
}));

test('without strangers and with comparisons that do not err it is the Beta posterior', () => {
  fc.assert(fc.property(fc.double({ min: 0.1, max: 5, noNaN: true }), fc.integer({ min: 5, max: 1000 }), fc.nat(300), fc.nat(20), (wrong, right, audits, wrongAudits) => {
    const risk = new KindPosterior({ wrong, right, strangers: 0 }, EXACT).given({ ...NOTHING, audits: audits + wrongAudits, wrongAudits });
    const expected = betaQuantile(0.95, wrong + wrongAudits, right + audits);
    fc.pre(expected > 1e-5);
    expect(Math.abs(Math.log(risk.wrong / expected))).toBeLessThan(0.05);
    const mean = (wrong + wrongAudits) / (wrong + wrongAudits + right + audits);
    expect(Math.abs(Math.log(risk.mean / mean))).toBeLessThan(0.05);
  }));
});

test('more wrong evidence never lowers the risk, more right evidence never raises it', () => {
  const posterior = new KindPosterior({ wrong: 0.5, right: 300, strangers: 0.02 }, ERRING);
  fc.assert(fc.property(counts, (local) => {
    const { wrong, mean } = posterior.given(local);
    const worse = [{ ...local, audits: local.audits + 1, wrongAudits: local.wrongAudits + 1 }, { ...local, reports: local.reports + 1, wrongReports: local.wrongReports + 1 }];
    const better = [{ ...local, audits: local.audits + 1 }, { ...local, reports: local.reports + 1 }];
    for (const risk of worse.map((more) => posterior.given(more))) {
      expect(risk.wrong).toBeGreaterThanOrEqual(wrong * (1 - 1e-9));
      expect(risk.mean).toBeGreaterThanOrEqual(mean * (1 - 1e-9));
    }
    for (const risk of better.map((more) => posterior.given(more))) expect(risk.wrong).toBeLessThanOrEqual(wrong * (1 + 1e-9));
  }));
});

test('sixty local audits overrule the shipped prior where they contradict it', () => {
  const posterior = new KindPosterior({ wrong: 0.4, right: 300, strangers: 0.02 }, ERRING);
  expect(posterior.given(NOTHING).wrong).toBeLessThan(0.01);
  expect(posterior.given({ ...NOTHING, audits: 60, wrongAudits: 6 }).mean).toBeGreaterThan(0.05);
});

test('false alarms at the rate at which comparisons err say nothing against a kind', () => {
  const posterior = new KindPosterior({ wrong: 0.4, right: 300, strangers: 0.02 }, ERRING);
  expect(posterior.given({ ...NOTHING, audits: 1000, wrongAudits: 10 }).wrong).toBeLessThan(0.01);
});
