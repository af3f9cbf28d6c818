import { expect, test } from '@jest/globals';
import { LauncherError } from './launcher-error.ts';
import { parseScale, scaleFromArguments } from './scale.ts';

const ONE_EACH = { gateway: 1, router: 1, 'semantic-cache': 1, 'usage-worker': 1 };

test('an app that is not named has one replica', () => {
  expect(parseScale('')).toEqual(ONE_EACH);
  expect(parseScale('gateway=2, router=3')).toEqual({ ...ONE_EACH, gateway: 2, router: 3 });
});

test('--scale may be written with a blank or an equals sign, and more than once', () => {
  expect(scaleFromArguments(['--scale', 'gateway=2', '--scale=router=2'])).toEqual({ ...ONE_EACH, gateway: 2, router: 2 });
});

test.each([['gatway=2'], ['gateway'], ['gateway=0'], ['gateway=-1'], ['gateway=1.5'], ['gateway=33'], ['=2']])('%j is refused with a sentence', (text) => {
  expect(() => parseScale(text)).toThrow(LauncherError);
});

test('an argument that npm start does not know is refused, not ignored', () => {
  expect(() => scaleFromArguments(['--sale', 'gateway=2'])).toThrow('npm start does not know "--sale"');
});
