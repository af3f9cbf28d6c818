import { parseCalibration, readCalibration } from './calibration.ts';

const shipped = await readCalibration(new URL('../../../../models/calibration/', import.meta.url));

test('the shipped calibration is complete, and surer of a kind the less is left to guess', () => {
  const means = Object.values(shipped.kinds).map(({ wrong, right }) => wrong / (wrong + right));
  expect(means).toEqual([...means].sort((a, b) => a - b));
});

test.each([
  [null, /no calibration/],
  [{ kinds: {}, comparison: {} }, /no kinds.same_text/],
  [{ ...shipped, kinds: { ...shipped.kinds, surface: { wrong: 0, right: 1, strangers: 0 } } }, /kinds\.surface\.wrong/],
  [{ ...shipped, comparison: { falseAlarm: 0.7, missed: 0 } }, /comparison\.falseAlarm/],
])('a calibration that cannot be right is refused by the field: %#', (value, message) => {
  expect(() => parseCalibration(value)).toThrow(message);
});
