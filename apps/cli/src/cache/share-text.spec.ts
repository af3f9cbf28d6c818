import { expect, test } from '@jest/globals';
import { shareText, shareTextUp } from './share-text.ts';

test('a share is never rounded up, and what may be wrong never down', () => {
  expect([shareText(0.9999), shareText(1), shareText(0.1234), shareText(0.00456), shareText(0)]).toEqual(['99.9%', '100%', '12.3%', '0.45%', '0%']);
  expect([shareTextUp(0.0001), shareTextUp(0.00001), shareTextUp(0.1231), shareTextUp(0.07), shareTextUp(0)]).toEqual(['0.01%', '0.01%', '12.4%', '7%', '0%']);
});
