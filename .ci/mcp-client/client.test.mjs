// SPDX-License-Identifier: Apache-2.0
//
// The official TypeScript clients of MCP, as they are published, against agent/mcp: the one of the handshake and the one of the
// stateless protocol, over stdio and streamable HTTP. SERVER is the program agent/mcp/testdata/server.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import readline from 'node:readline';
import test from 'node:test';

import * as next from '@modelcontextprotocol/client';
import * as nextStdio from '@modelcontextprotocol/client/stdio';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const program = process.env.SERVER;
const search = 'production/search/key', publishing = 'production/publishing/key';
const env = { SEARCH_KEY: 'canary-5f2c9e81d7a04b36', PUBLISHING_KEY: 'canary-b7719d0c44e2aa08', TMPDIR: process.env.TMPDIR ?? '/tmp' };

const clients = [
  { version: '2025-11-25', make: () => new Client({ name: 'test', version: '1' }), Stdio: StdioClientTransport, HTTP: StreamableHTTPClientTransport },
  {
    version: '2026-07-28',
    make: () => new next.Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } }),
    Stdio: nextStdio.StdioClientTransport, HTTP: next.StreamableHTTPClientTransport,
  },
];

const server = spawn(program, ['http'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
const [line] = await once(readline.createInterface({ input: server.stdout }), 'line');
const at = JSON.parse(line);
test.after(async () => { server.stdin.end(); await once(server, 'close'); });

// What came over HTTP, without what get_secret may show its agent.
const seen = [];
const recording = async (input, init) => {
  const response = await fetch(input, init);
  seen.push([...response.headers].join('\n'), await response.clone().text());
  return response;
};

async function connect(t, { make, HTTP }, token, headers = {}) {
  const client = make();
  const transport = new HTTP(new URL(at.url), { fetch: recording, requestInit: { headers: { Authorization: `Bearer ${token}`, ...headers } } });
  await client.connect(transport);
  t.after(() => client.close());
  return client;
}

async function ask(client, name, args) {
  const result = await client.callTool({ name, arguments: args });
  assert.equal(result.content.length, 1);
  assert.equal(result.structuredContent, undefined);
  return [result.content[0].text, result.isError ?? false];
}

for (const kind of clients) {
  test(`stdio, ${kind.version}`, async (t) => {
    const client = kind.make();
    await client.connect(new kind.Stdio({ command: program, args: ['stdio'], env, stderr: 'inherit' }));
    t.after(() => client.close());
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name), ['get_secret', 'http_request', 'list_secrets']);
    assert.deepEqual(await ask(client, 'get_secret', { path: search, reason: 'to search' }), [env.SEARCH_KEY, false]);
    const [text, isError] = await ask(client, 'get_secret', { path: publishing });
    assert.match(text, /^Refused: /);
    assert.equal(isError, true);
  });

  test(`HTTP, ${kind.version}: allowed and denied`, async (t) => {
    const researcher = await connect(t, kind, at.researcher), writer = await connect(t, kind, at.writer);
    if (kind.version === '2026-07-28') assert.equal(researcher.getNegotiatedProtocolVersion(), kind.version);
    for (const client of [researcher, writer]) {
      const { tools } = await client.listTools();
      assert.deepEqual(tools.map((tool) => tool.name), ['get_secret', 'http_request', 'list_secrets']);
    }
    const use = { path: publishing, url: `${at.api}/posts`, method: 'POST', body: '{}', reason: 'to publish' };
    const [posted, failed] = await ask(writer, 'http_request', use);
    assert.match(posted, /you sent Bearer \[redacted\]/);
    assert.equal(failed, false);
    for (const [client, tool, args] of [[writer, 'get_secret', { path: publishing }], [writer, 'get_secret', { path: search }], [researcher, 'http_request', use]]) {
      const [text, isError] = await ask(client, tool, args);
      assert.match(text, /^Refused: /);
      assert.equal(isError, true);
    }
    const [malformed, isError] = await ask(researcher, 'get_secret', { path: search, token: 'kw_tok_AAAA' });
    assert.match(malformed, /^Malformed/);
    assert.equal(isError, true);
    for (const text of seen) for (const value of [env.SEARCH_KEY, env.PUBLISHING_KEY, at.researcher, at.writer]) assert.ok(!text.includes(value));
    assert.deepEqual(await ask(researcher, 'get_secret', { path: search }), [env.SEARCH_KEY, false]);
    seen.length = 0;
  });

  for (const [name, token, headers] of [
    ['no such token', 'kw_tok_AAAA'], ['a revoked token', at.revoked], ['a changed token', at.researcher.slice(0, -1)],
  ]) {
    test(`HTTP, ${kind.version}: ${name}`, async (t) => {
      await assert.rejects(connect(t, kind, token, headers), /401|Unauthorized|live token/i);
      assert.ok(seen.at(-1).includes('this wants a live credential'));
      seen.length = 0;
    });
  }

  test(`HTTP, ${kind.version}: a foreign origin`, async (t) => {
    await assert.rejects(connect(t, kind, at.researcher, { Origin: 'https://evil.example' }), /403|Forbidden|host or origin/i);
    seen.length = 0;
  });
}

test('HTTP: a rebound host', async () => { // fetch sends no Host but that of the URL
  const request = http.request(at.url, { method: 'POST', headers: { Host: 'evil.example', Authorization: `Bearer ${at.researcher}` } });
  request.end();
  const [response] = await once(request, 'response');
  assert.equal(response.statusCode, 403);
  response.resume();
  await once(response, 'end');
});
