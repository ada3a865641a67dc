// SPDX-License-Identifier: Apache-2.0

// Every method and every typed error of @agentsecretstore/sdk, as it is published.
'use strict';

const { assert, rejects, main } = require('./kit.cjs');
const { AgentVault } = require('@agentsecretstore/sdk');

const { URL: baseUrl, RESEARCHER, FLOOD } = process.env;
const path = 'production/search/tavily';

main(async () => {
  const vault = new AgentVault({ agentKey: RESEARCHER, baseUrl });

  // setSecret, getSecret, getSecretWithMetadata
  const made = await vault.setSecret(path, 'tvly-1', { secretType: 'api_key', metadata: { owner: 'ops' } });
  assert.deepEqual([made.namespace, made.key, made.version, made.secret_type, made.access_tier, made.metadata],
    ['production/search', 'tavily', 1, 'api_key', 'standard', { owner: 'ops' }]);
  assert.ok(made.id && Date.parse(made.created_at) && Date.parse(made.updated_at));
  assert.equal(await vault.getSecret(path), 'tvly-1');
  assert.equal((await vault.setSecret(path, 'tvly-2')).version, 2); // with custom and standard, which nobody said
  const got = await vault.getSecretWithMetadata(path);
  assert.deepEqual([got.value, got.version, got.secret_type, got.access_tier], ['tvly-2', 2, 'api_key', 'standard']);

  // importEnv, listSecrets
  const imported = await vault.importEnv('# keys\nexport A=1\nB="x # y"\n', 'production/env');
  assert.deepEqual([imported.namespace, imported.imported, imported.imported_count], ['production/env', ['A', 'B'], 2]);
  const list = await vault.listSecrets('production/env');
  assert.equal(list.namespace, 'production/env');
  assert.deepEqual(list.items.map((i) => [i.namespace, i.key, i.version, 'value' in i]), [['production/env', 'A', 1, false], ['production/env', 'B', 1, false]]);
  assert.deepEqual((await vault.listSecrets('production')).items, []);
  assert.equal(await vault.getSecret('production/env/B'), 'x # y');

  // requestToken. With the wide token in its cache, the SDK's list and its read are one and the same request.
  const asked = Date.now();
  const token = await vault.requestToken({ scopes: ['secrets:read:production/*'], ttl: '15m', maxUses: 100, ipAllowlist: ['127.0.0.1'] });
  const life = (Date.parse(token.expires_at) - asked) / 1000;
  assert.ok(token.token && token.token_id && life > 895 && life < 910, `it lives ${life} s`);
  assert.equal(await vault.getSecret(path), 'tvly-2');
  await rejects(vault.listSecrets('production/search/deep'), { class: 'SecretNotFoundError' });

  // A sub-agent has a token, which stands where the SDK wants a key, and what it gets is narrower.
  const narrow = await vault.requestToken({ scopes: ['secrets:read:production/search/*', 'secrets:write:production/search/*'], ttl: '5m' });
  const sub = new AgentVault({ agentKey: narrow.token, baseUrl });
  assert.equal(await sub.getSecret(path), 'tvly-2');
  await sub.setSecret('production/search/fromsub', 'made');
  assert.equal(await sub.getSecret('production/search/fromsub'), 'made');
  const below = await sub.requestToken({ scopes: [`secrets:read:${path}`] }); // an hour, of one that has minutes left
  assert.ok(Date.parse(below.expires_at) <= Date.parse(narrow.expires_at));
  assert.equal(await new AgentVault({ agentKey: below.token, baseUrl }).getSecret(path), 'tvly-2');
  await rejects(sub.getSecret('production/env/B'), { class: 'ScopeError', code: 'SCOPE_DENIED', status: 403 });
  await rejects(sub.deleteSecret(path), { class: 'ScopeError' });

  // A base URL that ends in a slash makes double ones.
  assert.equal(await new AgentVault({ agentKey: RESEARCHER, baseUrl: baseUrl + '/' }).getSecret(path), 'tvly-2');

  // autoToken: false uses what was asked for, to the last use and no further.
  const once = new AgentVault({ agentKey: RESEARCHER, baseUrl, autoToken: false });
  await rejects(once.getSecret(path), { class: 'AuthError', message: /autoToken disabled/ });
  await once.requestToken({ scopes: [`secrets:read:${path}`], maxUses: 1 });
  assert.equal(await once.getSecret(path), 'tvly-2');
  await rejects(once.getSecret(path), { class: 'AuthError', status: 401 });

  // Typed errors.
  await rejects(new AgentVault({ agentKey: 'ass_live_nobody', baseUrl }).getSecret(path), { class: 'AuthError', code: 'UNAUTHORIZED', status: 401 });
  await rejects(vault.getSecret('staging/db/url'), { class: 'ScopeError', code: 'SCOPE_DENIED', status: 403 });
  await rejects(vault.getSecret('production/nothing'), { class: 'SecretNotFoundError', code: 'SECRET_NOT_FOUND', status: 404 });
  await rejects(vault.getSecret('flat'), { class: 'ValidationError', code: 'VALIDATION_ERROR' });
  await rejects(vault.setSecret('production/x/y', 'v', { metadata: { n: 1 } }), { class: 'VaultError', code: 'VALIDATION_ERROR', status: 400, message: /every value is a string/ });
  await rejects(vault.requestToken({ scopes: ['secrets:read:production/../staging/*'] }), { class: 'VaultError', status: 400 });
  await rejects(vault.requestToken({ scopes: ['secrets:read:production/*'], ttl: '7d' }), { class: 'ScopeError', message: /ttl_seconds: at most/ });
  const list403 = new AgentVault({ agentKey: RESEARCHER, baseUrl, autoToken: false });
  await list403.requestToken({ scopes: ['secrets:write:production/*'] });
  await rejects(list403.getSecret(path), { class: 'ScopeError' });
  await rejects(list403.setSecret(path, 'tvly-3', { secretType: 'ssh_key' }), { class: 'ScopeError', message: /type differs/ });

  // ApprovalRequiredError never comes: tokens are issued at once, and what is sensitive is refused when it is read.
  await vault.setSecret('production/payments/stripe', 'sk', { accessTier: 'sensitive' });
  await rejects(vault.getSecret('production/payments/stripe'), { class: 'ScopeError', message: /tier of the path needs an approval/ });

  await rejects(new AgentVault({ agentKey: RESEARCHER, baseUrl: 'http://127.0.0.1:9', retries: 0 }).getSecret(path), { class: 'NetworkError', code: 'NETWORK_ERROR', status: 0 });

  // More than 200 at once.
  const flood = new AgentVault({ agentKey: FLOOD, baseUrl });
  const floods = await Promise.allSettled(Array.from({ length: 400 }, () => flood.requestToken({ scopes: ['secrets:read:flood/*'] })));
  const refused = floods.filter((f) => f.status === 'rejected').map((f) => f.reason);
  assert.ok(refused.length > 0 && refused.every((e) => e.constructor.name === 'RateLimitError' && e.status === 429 && e.retryAfter >= 1), `${refused[0]}`);

  // deleteSecret
  await vault.deleteSecret(path);
  await rejects(vault.getSecret(path), { class: 'SecretNotFoundError' });
});
