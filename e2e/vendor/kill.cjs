// SPDX-License-Identifier: Apache-2.0

// Eight clients of @agentsecretstore/sdk read as fast as they can, and the server is killed in the middle of it. What was answered is
// printed.
'use strict';

const { main } = require('./kit.cjs');
const { AgentVault } = require('@agentsecretstore/sdk');

const { URL: baseUrl, RESEARCHER, KILL_PATH: path, SERVER } = process.env;

main(async () => {
  await new AgentVault({ agentKey: RESEARCHER, baseUrl }).setSecret(path, 'a value');
  const after = 100 + Math.floor(Math.random() * 400);
  let answered = 0;
  await Promise.all(Array.from({ length: 8 }, async () => {
    const vault = new AgentVault({ agentKey: RESEARCHER, baseUrl, retries: 0 });
    for (;;) {
      try {
        await vault.getSecret(path);
      } catch (err) {
        if (answered < after) throw err;
        return;
      }
      if (++answered === after) process.kill(Number(SERVER), 'SIGKILL');
    }
  }));
  console.log(`answered ${answered}`);
});
