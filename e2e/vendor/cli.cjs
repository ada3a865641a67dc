// SPDX-License-Identifier: Apache-2.0

// The commands of @agentsecretstore/cli, as it is published; with a terminal where it prompts.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { spawn, spawnSync } = require('node:child_process');
const { assert, main } = require('./kit.cjs');

const { URL: url, ALICE, NODE_PATH, ...own } = process.env;
const ass = path.join(NODE_PATH, '@agentsecretstore', 'cli', 'dist', 'index.js');
const env = { ...own, ASS_API_URL: url, NO_COLOR: '1' };

// run runs the CLI without a terminal.
function run(args, more) {
  const r = spawnSync(process.execPath, [ass, ...args], { env: { ...env, ...more }, encoding: 'utf8', timeout: 60_000 });
  return { code: r.status, out: r.stdout, all: r.stdout + r.stderr };
}

function good(args, more) {
  const r = run(args, more);
  assert.equal(r.code, 0, `${args.join(' ')}: ${r.all}`);
  return r.out;
}

// json is what a command prints with --json.
const json = (args, more) => JSON.parse(good([...args, '--json'], more));

function bad(args, want, more) {
  const r = run(args, more);
  assert.notEqual(r.code, 0, `${args.join(' ')}: ${r.all}`);
  assert.match(r.all, want);
}

// boxed is what begins with prefix in a box, which the CLI draws around a text that has no spaces as well, line by line.
function boxed(shown, prefix) {
  const lines = shown.split('\n').map((l) => l.replace(/^│ *| *│$/g, ''));
  const first = lines.findIndex((l) => l.startsWith(prefix));
  return lines.slice(first, lines.indexOf('', first)).join('');
}

// prompts runs the CLI on a terminal, and types each answer when its question has come.
function prompts(args, dialog) {
  return new Promise((resolve, reject) => {
    const command = [process.execPath, ass, ...args].map((a) => `'${a}'`).join(' ');
    const child = spawn('script', ['-qefc', `stty columns 200 rows 50; ${command}`, '/dev/null'], { env: { ...env, TERM: 'xterm' }, timeout: 60_000 });
    let all = '', from = 0;
    const next = () => {
      while (dialog.length > 0 && all.indexOf(dialog[0][0], from) >= 0) {
        from = all.indexOf(dialog[0][0], from) + dialog[0][0].length;
        child.stdin.write(dialog.shift()[1]);
      }
    };
    child.stdout.on('data', (b) => { all += b; next(); });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 && dialog.length === 0 ? resolve(all) : reject(new Error(`${args}: ${code}: ${JSON.stringify(dialog[0])}: ${all}`))));
  });
}

main(async () => {
  assert.match(good(['login', '--key', ALICE]), /Logged in/);
  bad(['login', '--key', 'kw_op_nobody-nobody-nobody'], /Invalid API key/);
  const me = json(['whoami']);
  assert.deepEqual([me.email, me.name, me.secret_count, me.agent_count], ['alice', 'alice', 0, 0]);
  const status = json(['status']);
  assert.deepEqual([status.api.status, status.auth.logged_in, status.auth.email], ['ok', true, 'alice']);

  // secrets
  good(['secrets', 'set', 'production/search/tavily', 'tvly-1', '--type', 'api_key', '--tier', 'standard']);
  good(['secrets', 'set', 'staging/db/url', 'postgres://x', '--type', 'db_credential', '--tier', 'sensitive']);
  assert.equal(good(['secrets', 'get', 'production/search/tavily']), 'tvly-1');
  const got = json(['secrets', 'get', 'production/search/tavily']);
  assert.deepEqual([got.path, got.value, got.version, Date.parse(got.updated_at) > 0], ['production/search/tavily', 'tvly-1', 1, true]);
  assert.deepEqual(json(['secrets', 'list', 'production/search']).items.map((i) => [i.namespace, i.key, i.secret_type]), [['production/search', 'tavily', 'api_key']]);
  assert.match(good(['secrets', 'list', 'production/search']), /tavily/);
  assert.match(run(['secrets', 'list']).all, /No secrets found/);
  bad(['secrets', 'get', 'production/search/none'], /Not found/);
  bad(['secrets', 'get', 'production/../x'], /invalid request/);
  bad(['secrets', 'set', 'production/search/tavily', 'v', '--type', 'ssh_key', '--tier', 'standard'], /type differs/);
  bad(['secrets', 'rotate', 'production/search/tavily', '--force'], /keyward makes no values/);
  good(['secrets', 'delete', 'production/search/tavily', '--force']);
  bad(['secrets', 'get', 'production/search/tavily'], /Not found/);

  // env
  fs.writeFileSync('.env', '# keys\nexport A=1\nB="x # y"\n');
  fs.writeFileSync('bad.env', 'A="not closed\n');
  good(['init', '--namespace', 'production/env']);
  good(['env', 'import', '.env', '--dry-run']);
  assert.match(good(['env', 'import', '.env']), /production\/env\/B/);
  bad(['env', 'import', 'bad.env'], /line 1, A/);
  assert.match(good(['env', 'export', 'production/env']), /\nA=1\nB="x # y"\n/);
  assert.match(run(['env', 'export', 'production/none']).all, /No secrets found/);

  // agents and tokens
  let bot;
  try {
    const shown = await prompts(['agents', 'create'], [
      ['Agent name:', 'prod-bot\r'], ['Description (optional):', 'of a test\r'], ['Allowed namespaces', 'production\r'], ['Allowed scopes:', '\r'],
    ]);
    bot = /kw_agent_[\w-]+/.exec(shown)[0];
    await prompts(['secrets', 'set', 'production/env/C'], [['Value for', 'typed\r'], ['Secret type:', '\r'], ['Access tier:', '\r']]);
    assert.equal(good(['secrets', 'get', 'production/env/C']), 'typed');
  } catch (err) {
    if (err.code !== 'ENOENT') throw err;
    console.error('prompts are not tried: there is no script(1)');
    const made = await fetch(`${url}/v1/agents`, {
      method: 'POST', headers: { Authorization: `Bearer ${ALICE}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'prod-bot', allowed_namespaces: ['production'], allowed_scopes: ['read:secrets'] }),
    });
    bot = (await made.json()).api_key;
  }
  const agents = json(['agents', 'list']);
  assert.deepEqual(agents.items.map((a) => [a.name, a.active, a.allowed_scopes]), [['prod-bot', true, ['secrets:read:production/*']]]);
  assert.ok(!JSON.stringify(agents).includes(bot.slice(9)));
  assert.match(good(['agents', 'list']), /prod-bot/);
  const asBot = { ASS_API_KEY: bot };
  const shown = good(['tokens', 'issue', '--scopes', 'read:secrets', '--ttl', '3600'], asBot);
  assert.match(shown, /secrets:read:production\/\*/);
  const asToken = { ASS_API_KEY: boxed(shown, 'kw_tok_') };
  assert.equal(good(['secrets', 'get', 'production/env/A'], asToken), '1');
  bad(['secrets', 'get', 'staging/db/url'], /Permission denied/, asToken);
  bad(['tokens', 'issue', '--scopes', 'write:secrets', '--ttl', '900'], /is not covered/, asBot);
  bad(['tokens', 'issue', '--scopes', 'read:secrets', '--ttl', '604800'], /ttl_seconds: at most/, asBot);
  bad(['tokens', 'issue', '--scopes', 'manage:agents', '--ttl', '900'], /credential of an operator/, asBot);
  bad(['agents', 'list'], /Not authenticated/, asBot);
  assert.match(good(['tokens', 'issue', '--scopes', 'read:secrets,write:secrets', '--ttl', '900']), /secrets:write:\*/);

  // approvals
  assert.deepEqual(json(['approvals', 'list', '--status', 'pending']).items, []);
  bad(['approvals', 'approve', 'x', '--force'], /there is no such approval/);
  bad(['approvals', 'deny', 'x', '--force', '--reason', 'no'], /there is no such approval/);

  // revocation
  good(['agents', 'revoke', agents.items[0].id, '--force']);
  bad(['secrets', 'get', 'production/env/A'], /Not authenticated/, asToken);
  bad(['tokens', 'issue', '--scopes', 'read:secrets', '--ttl', '900'], /Not authenticated/, asBot);
  bad(['agents', 'revoke', 'nobody', '--force'], /Not found/);

  // audit
  const { events } = json(['audit', '--limit', '100']);
  const seen = events.map((e) => `${e.event_type} ${e.actor_type} ${e.actor_id} ${e.resource_id ?? ''}`);
  for (const line of [
    'secret.read agent prod-bot production/env/A', 'secret.read.denied agent prod-bot staging/db/url', 'secret.read.denied agent prod-bot production/env/A',
    'secret.created user alice production/env/B', 'secret.deleted user alice production/search/tavily', `agent.revoked user alice ${agents.items[0].id}`,
  ]) assert.ok(seen.includes(line), `${line} is not in\n${seen.join('\n')}`);
  assert.match(good(['audit', '--limit', '5']), /audit\.read/);

  good(['logout', '--force']);
  bad(['whoami'], /Not authenticated/);
});
