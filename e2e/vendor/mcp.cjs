// SPDX-License-Identifier: Apache-2.0

// The eight tools of @agentsecretstore/mcp, as it is published.
'use strict';

const path = require('node:path');
const { assert, rejects, main } = require('./kit.cjs');
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');

const { URL: url, RESEARCHER, NODE_PATH } = process.env;

main(async () => {
  const client = new Client({ name: 'e2e', version: '1' });
  await client.connect(new StdioClientTransport({
    command: process.execPath,
    args: [path.join(NODE_PATH, '@agentsecretstore', 'mcp', 'bin', 'run.js')],
    env: { ASS_AGENT_KEY: RESEARCHER, ASS_API_URL: url + '/' },
  }));
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((t) => t.name).sort(), ['delete_secret', 'get_approval_status', 'get_secret', 'list_namespaces', 'list_secrets', 'request_token', 'rotate_secret', 'set_secret']);
  const call = async (name, args) => JSON.parse((await client.callTool({ name, arguments: args })).content[0].text);
  const at = { namespace: 'production/search', key: 'tavily' };

  const made = await call('set_secret', { ...at, value: 'tvly-1', secret_type: 'api_key' });
  assert.deepEqual([made.namespace, made.key, made.version, made.secret_type], ['production/search', 'tavily', 1, 'api_key']);
  assert.equal((await call('get_secret', at)).value, 'tvly-1');
  const list = await call('list_secrets', { namespace: 'production/search' });
  assert.deepEqual(list.items.map((i) => [i.namespace, i.key, 'value' in i]), [['production/search', 'tavily', false]]);
  assert.deepEqual((await call('list_namespaces', {})).namespaces, ['production/search']);
  assert.equal((await call('delete_secret', at)).requires_human_auth, true);
  assert.equal((await call('rotate_secret', at)).requires_human_auth, true);
  const token = await call('request_token', { scopes: ['secrets:read:production/search/*'], ttl: '15m' });
  assert.match(token.token, /^kw_tok_/);

  // What went wrong is in the text, which the server takes from detail.
  await rejects(call('get_secret', { ...at, key: 'none' }), { message: /not found/ });
  await rejects(call('get_secret', { namespace: 'staging', key: 'db' }), { message: /is not covered/ });
  await rejects(call('request_token', { scopes: ['manage:agents'] }), { message: /credential of an operator/ });
  await rejects(call('get_approval_status', { approval_id: 'a/b' }), { message: /there is no such approval/ });
  await client.close();
});
