import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where a project's counts go, below its folder. An output of its test target, so that they are there also when the tests come from the cache. */
export const RESULTS_FILE = join('test-results', 'jest.json');

/** A jest reporter that leaves the counts of a run for `npm test` to add up. */
export default class JestResults {
  #file;

  constructor(globalConfig) {
    this.#file = join(globalConfig.rootDir, RESULTS_FILE);
  }

  onRunComplete(_contexts, results) {
    const failures = results.testResults.flatMap((file) => {
      const failed = file.testResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
      return failed.length === 0 && file.testExecError ? [`${file.testFilePath} could not run`] : failed;
    });
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(
      this.#file,
      JSON.stringify({
        passed: results.numPassedTests,
        // A file that could not even run has no tests to count, and is a failure all the same.
        failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
        skipped: results.numPendingTests + results.numTodoTests,
        failures,
      }),
    );
  }
}
