import { Client as Client8 } from 'elasticsearch-8';
import { Client as Client9 } from 'elasticsearch-9';
import { expect, test } from '../fixtures/app';

/**
 * Elastic's own client for JavaScript, unchanged, against the engine. What it
 * refuses (a missing product header, a body it cannot read) is refused here by
 * the code that refuses it at people's desks.
 */
const CLIENTS: [string, typeof Client9][] = [
  ['9', Client9],
  // The two majors differ in types that this walk does not touch.
  ['8', Client8 as unknown as typeof Client9],
];

const AGENT_KEY = {
  metadata: { application: 'apm', team: 'payments' },
  role_descriptors: {
    apm: {
      cluster: [],
      indices: [],
      applications: [{ application: 'apm', privileges: ['event:write'], resources: ['*'] }],
    },
  },
};

for (const [major, Client] of CLIENTS) {
  test.describe(`JavaScript client ${major}`, () => {
    test('asks who is there and who it is', async ({ app }) => {
      const client = connect(app);
      expect(await client.ping()).toBe(true);
      expect((await client.info()).tagline).toBe('You Know, for Search');
      expect((await client.cluster.health()).timed_out).toBe(false);
      expect(await client.security.authenticate()).toMatchObject({
        username: 'elastic',
        authentication_type: 'realm',
        authentication_realm: { name: 'reserved', type: 'reserved' },
      });
    });

    test('creates, gets, queries, updates and invalidates API keys', async ({ app }) => {
      const { security } = connect(app);
      const name = `client ${major}`;
      const created = await security.createApiKey({ name, expiration: '1d', ...AGENT_KEY });
      expect(Buffer.from(created.encoded, 'base64').toString()).toBe(`${created.id}:${created.api_key}`);

      const got = await security.getApiKey({ id: created.id, with_limited_by: true });
      expect(got.api_keys).toEqual([
        expect.objectContaining({ id: created.id, name, invalidated: false, username: 'elastic', metadata: AGENT_KEY.metadata }),
      ]);

      for (let more = 0; more < 4; more += 1) await security.createApiKey({ name, ...AGENT_KEY });
      const query = { bool: { filter: [{ term: { name } }, { term: { invalidated: false } }] } };
      const first = await security.queryApiKeys({ query, sort: [{ creation: { order: 'desc' } }, 'name'], size: 3 });
      expect(first).toMatchObject({ total: 5, count: 3 });
      const second = await security.queryApiKeys({
        query,
        sort: [{ creation: { order: 'desc' } }, 'name'],
        size: 3,
        search_after: first.api_keys.at(-1)!._sort!,
      });
      expect(second.total).toBe(5);

      expect(await security.updateApiKey({ id: created.id, metadata: { application: 'apm' } })).toEqual({ updated: true });
      expect(await security.updateApiKey({ id: created.id, metadata: { application: 'apm' } })).toEqual({ updated: false });

      const gone = await security.invalidateApiKey({ ids: [created.id] });
      expect(gone).toMatchObject({ invalidated_api_keys: [created.id], previously_invalidated_api_keys: [], error_count: 0 });
      await expect(connect(app, { apiKey: created.encoded }).security.authenticate()).rejects.toMatchObject({
        statusCode: 401,
      });
    });

    test('is let in by a key, in both forms', async ({ app }) => {
      const created = await connect(app).security.createApiKey({ name: 'let in', ...AGENT_KEY });
      for (const apiKey of [created.encoded, { id: created.id, api_key: created.api_key }]) {
        const { security } = connect(app, { apiKey });
        expect(await security.authenticate()).toMatchObject({
          authentication_type: 'api_key',
          api_key: { id: created.id, name: 'let in' },
        });
        const held = await security.hasPrivileges({
          application: [{ application: 'apm', privileges: ['event:write', 'config_agent:read'], resources: ['-'] }],
        });
        expect(held.application).toEqual({ apm: { '-': { 'event:write': true, 'config_agent:read': false } } });
        expect(held.has_all_requested).toBe(false);
      }
    });

    test('grants a key on behalf of somebody', async ({ app }) => {
      const { security } = connect(app);
      const username = `granted.${major}`;
      await security.putUser({ username, password: 'correct horse', roles: ['superuser'] });
      const granted = await security.grantApiKey({
        grant_type: 'password',
        username,
        password: 'correct horse',
        api_key: { name: 'granted', ...AGENT_KEY },
      });
      expect(await connect(app, { apiKey: granted.encoded }).security.authenticate()).toMatchObject({ username });
    });

    test('puts, gets and deletes roles, users and application privileges', async ({ app }) => {
      const { security } = connect(app);
      const name = `client_role_${major}`;
      const role = {
        cluster: ['manage_own_api_key' as const],
        applications: [{ application: 'apm', privileges: ['event:write'], resources: ['*'] }],
      };
      expect(await security.putRole({ name, ...role })).toEqual({ role: { created: true } });
      expect(await security.putRole({ name, ...role })).toEqual({ role: { created: false } });
      expect((await security.getRole({ name }))[name]).toMatchObject(role);

      const username = `client.user.${major}`;
      const who = { username, roles: [name], full_name: 'Mara Okafor', email: 'mara@example.com' };
      expect(await security.putUser({ ...who, password: 'correct horse' })).toEqual({ created: true });
      expect((await security.getUser({ username }))[username]).toMatchObject({ ...who, enabled: true });
      await security.disableUser({ username });
      expect((await security.getUser({ username }))[username]).toMatchObject({ enabled: false });
      await security.enableUser({ username });
      await security.changePassword({ username, password: 'another horse' });
      const own = connect(app, { username, password: 'another horse' });
      expect((await own.security.authenticate()).roles).toEqual([name]);
      expect((await own.security.hasPrivileges({ cluster: ['manage_own_api_key'] })).has_all_requested).toBe(true);
      await expect(own.security.getUser({ username: 'elastic' })).rejects.toMatchObject({ statusCode: 403 });
      expect(await security.deleteUser({ username })).toEqual({ found: true });
      await expect(security.deleteUser({ username })).rejects.toMatchObject({ statusCode: 404 });
      expect(await security.deleteRole({ name })).toEqual({ found: true });

      const application = `client${major}`;
      await security.putPrivileges({ privileges: { [application]: { reader: { actions: ['data:read/*'] } } } });
      expect((await security.getPrivileges({ application }))[application]).toMatchObject({
        reader: { application, name: 'reader', actions: ['data:read/*'] },
      });
      expect(await security.deletePrivileges({ application, name: 'reader' })).toEqual({
        [application]: { reader: { found: true } },
      });
      expect((await security.getBuiltinPrivileges()).cluster).toContain('manage_own_api_key');
    });

    test('is told what is wrong in the shape it knows', async ({ app }) => {
      const { security } = connect(app);
      await expect(security.createApiKey({ name: '_reserved' })).rejects.toMatchObject({
        statusCode: 400,
        body: { error: { type: 'action_request_validation_exception' }, status: 400 },
      });
      await expect(security.getApiKey({ id: 'no-such-key' })).rejects.toMatchObject({ statusCode: 404 });
      await expect(connect(app, { username: 'elastic', password: 'wrong' }).security.authenticate()).rejects.toMatchObject({
        statusCode: 401,
        body: { error: { type: 'security_exception' } },
      });
    });

    type Auth = NonNullable<ConstructorParameters<typeof Client9>[0]['auth']>;

    function connect(app: { engineUrl: string; elasticPassword: string }, auth?: Auth): InstanceType<typeof Client9> {
      return new Client({
        node: app.engineUrl,
        auth: auth ?? { username: 'elastic', password: app.elasticPassword },
        maxRetries: 0,
        requestTimeout: 20_000,
      });
    }
  });
}
