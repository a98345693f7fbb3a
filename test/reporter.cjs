/* eslint-disable @typescript-eslint/no-require-imports -- Mocha loads a reporter by require */
// Mocha's spec reporter that also leaves the counts, and what failed, in the file named by TEST_COUNTS.
const { writeFileSync } = require('node:fs');
const Mocha = require('mocha');

module.exports = class CountingSpec extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const failures = [];
    runner.on('fail', (test, error) => failures.push(`${test.titlePath().join(' › ')}\n${error.stack ?? error.message ?? error}`));
    runner.once('end', () => {
      const { passes: passed, failures: failed } = this.stats;
      if (process.env.TEST_COUNTS) writeFileSync(process.env.TEST_COUNTS, JSON.stringify({ passed, failed, failures }));
    });
  }
};
