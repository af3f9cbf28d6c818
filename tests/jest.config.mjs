import preset from '../jest.preset.mjs';

export default { ...preset, displayName: 'tests', testMatch: ['<rootDir>/{src,test,chaos}/**/*.spec.ts'] };
