import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where a project's counts go, below its folder. An output of its test target, so that they are there also when the tests come from the cache. */
export const RESULTS_FILE = join('test-results', 'jest.json');

const MOST_REASON_CHARS = 240;

/** A jest reporter that leaves the counts of a run for `npm test` to add up: of the whole run, and of each file that failed. */
export default class JestResults {
  #file;

  constructor(globalConfig) {
    this.#file = join(globalConfig.rootDir, process.env.DEJA_TEST_RESULTS ?? RESULTS_FILE);
  }

  onRunComplete(_contexts, results) {
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(
      this.#file,
      JSON.stringify({
        passed: results.numPassedTests,
        // A file that could not even run has no tests to count, and is a failure all the same.
        failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
        skipped: results.numPendingTests + results.numTodoTests,
        failures: results.testResults.flatMap(failuresOf),
      }),
    );
  }
}

/** What failed in one file; `setUp` says that nothing passed, for one and the same reason: then it is what stood around the tests. */
function failuresOf({ testFilePath, testResults, testExecError }) {
  const failed = testResults.filter(({ status }) => status === 'failed');
  const reasons = failed.map(({ failureMessages }) => reasonOf(failureMessages.join('\n')));
  if (failed.length === 0) return testExecError ? [{ file: testFilePath, setUp: true, tests: [{ title: 'could not run', reason: reasonOf(String(testExecError.message ?? testExecError)) }] }] : [];
  const setUp = failed.length > 1 && failed.length === testResults.filter(({ status }) => status !== 'pending' && status !== 'todo').length && new Set(reasons).size === 1;
  return [{ file: testFilePath, setUp, tests: failed.map(({ fullName }, i) => ({ title: fullName, reason: reasons[i] })) }];
}

/** The beginning of a message, without colours, in one line. */
function reasonOf(message) {
  // eslint-disable-next-line no-control-regex -- colours begin with a control character
  return message.replace(/\u001b\[[\d;]*m/g, '').replace(/\s+/g, ' ').trim().slice(0, MOST_REASON_CHARS);
}
