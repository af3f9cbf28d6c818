import { expect, test } from '@jest/globals';
import { asSent, selectorsIn } from './prometheus-dashboards.ts';

test('what Grafana fills in is filled in, with everything chosen', () => {
  expect(asSent('sum(rate(a_total{tenant=~"$tenant"}[$__rate_interval])) / $__range_s + sum(increase(b_total[$__range]))', { window: '1m', rangeS: 600 }))
    .toBe('sum(rate(a_total{tenant=~".*"}[1m])) / 600 + sum(increase(b_total[600s]))');
});

test.each([
  ['sum by (le, endpoint) (rate(a_total{error=~"x|y", b!="}"}[5m])) / 2', ['a_total{error=~"x|y", b!="}"}']],
  ['max by (job) (up{job="gateway"} == 1) and on (instance) deja:memory:bytes > 1e9', ['up{job="gateway"}', 'deja:memory:bytes']],
  ['label_replace(sum(a) or vector(0), "provider", "$1", "deployment", "([^/]+)/.*") unless b', ['a', 'b']],
  ['absent(a == 1) or scalar(b:c) * on () group_left () d', ['a', 'b:c', 'd']],
])('the selectors of %s are found, and nothing else', (expr, selectors) => {
  expect(selectorsIn(expr)).toEqual(selectors);
});
