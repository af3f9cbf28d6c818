import preset from '../jest.preset.mjs';

/** Breaks parts at random while clients ask: for whoever wants to see that, and two minutes long. */
const CHAOS = 'src/chaos\\.spec\\.ts$';

export default {
  ...preset,
  displayName: 'tests',
  testMatch: ['<rootDir>/{src,test,chaos}/**/*.spec.ts'],
  testPathIgnorePatterns: [...(preset.testPathIgnorePatterns ?? ['/node_modules/']), ...(process.env['DEJA_CHAOS'] === '1' ? [] : [CHAOS])],
};
