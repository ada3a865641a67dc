// SPDX-License-Identifier: Apache-2.0

// What the scripts have in common: a script is one async function, and stands until its standard input ends.
'use strict';

const assert = require('node:assert/strict');

// rejects asserts that a promise is rejected with an error that has these fields; of a RegExp, which fit it.
async function rejects(promise, fields) {
  const err = await promise.then((v) => assert.fail(`it succeeded: ${JSON.stringify(v)}`), (e) => e);
  for (const [name, want] of Object.entries(fields)) {
    const got = name === 'class' ? err.constructor.name : err[name];
    if (want instanceof RegExp) assert.match(String(got), want);
    else assert.equal(got, want, `${name} of ${err.stack}`);
  }
  return err;
}

function main(script) {
  script().then(() => {
    console.log('keyward-e2e: done');
    process.stdin.resume();
  }, (err) => {
    console.error(err);
    process.exit(1);
  });
}

module.exports = { assert, rejects, main };
