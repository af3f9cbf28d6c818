import { fileURLToPath } from 'node:url';

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // A deadline for what hangs, not a measure: a busy machine may take its time.
  testTimeout: 60_000,
  reporters: ['default', fileURLToPath(new URL('./tools/jest-results.mjs', import.meta.url))],
  testMatch: ['<rootDir>/src/**/*.spec.ts', '<rootDir>/test/**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', {
      swcrc: false,
      jsc: {
        target: 'es2024',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
      module: { type: 'es6' },
      sourceMaps: 'inline',
    }],
  },
  testEnvironmentOptions: { customExportConditions: ['@deja/source', 'node', 'node-addons'] },
};
