import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';
import type { AgentPrivilege } from '../fixtures/engine';

interface StoredKey {
  name: string;
  username: string;
  metadata: Record<string, unknown>;
  role_descriptors: Record<string, { cluster: string[]; applications: { privileges: AgentPrivilege[] }[] }>;
}

test.beforeEach(async ({ app, site }) => site.signInByRequest(await operator(app)));

test('a key has the privilege that stays ticked and no more', async ({ app, site }) => {
  const name = 'key with one privilege';
  await site.newKey.create({ name, privileges: ['config_agent:read'], service: 'checkout' });
  const encoded = await site.created(name).secret();
  const [id] = Buffer.from(encoded, 'base64').toString('utf8').split(':');

  const { body } = await app.engine.call<{ api_keys: StoredKey[] }>('GET', `/_security/api_key?id=${id}`);
  const [stored] = body.api_keys;
  expect(stored).toMatchObject({ name, metadata: { application: 'apm' } });
  expect(Object.keys(stored!.role_descriptors)).toEqual(['apm']);
  expect(stored!.role_descriptors['apm']!.cluster).toEqual([]);
  expect(stored!.role_descriptors['apm']!.applications[0]!.privileges).toEqual(['config_agent:read']);

  await site.agentKeys.open();
  await expect(site.agentKeys.row(name)).toContainText('config_agent:read');
  await expect(site.agentKeys.row(name)).not.toContainText('event:write');
});

test('both privileges are ticked to begin with', async ({ site }) => {
  await site.newKey.open();
  await expect(site.newKey.privilege('event:write')).toBeChecked();
  await expect(site.newKey.privilege('config_agent:read')).toBeChecked();
});

test('a name that breaks a rule is answered at the field, and what was typed is kept', { tag: ['@firefox', '@no-script'] }, async ({ site }) => {
  await site.newKey.open();
  await site.newKey.fill({ name: '_checkout', privileges: ['event:write'], service: 'checkout' });
  await site.newKey.submit.click();

  await expect(site.newKey.name).toHaveAttribute('aria-invalid', 'true');
  await expect(site.newKey.name).toHaveAccessibleDescription(/Start the name with something other than “_”\./);
  await expect(site.newKey.name).toHaveValue('_checkout');
  await expect(site.newKey.service).toHaveValue('checkout');
  await expect(site.newKey.privilege('event:write')).toBeChecked();
  await expect(site.newKey.privilege('config_agent:read')).not.toBeChecked();
});

test('a key without any privilege is refused at the check boxes', async ({ site }) => {
  await site.newKey.open();
  await site.newKey.fill({ name: 'powerless', privileges: [] });
  await site.newKey.submit.click();
  await expect(site.newKey.dialog).toContainText(/at least one/i);
  await expect(site.newKey.name).toHaveValue('powerless');
});

test('after an error the corrected form goes through', async ({ site }) => {
  await site.newKey.open();
  await site.newKey.fill({ name: '_corrected' });
  await site.newKey.submit.click();
  await expect(site.newKey.name).toHaveAttribute('aria-invalid', 'true');
  await site.ready();
  await site.newKey.name.fill('corrected');
  await site.newKey.submit.click();
  await expect(site.created('corrected').dialog).toBeVisible();
});

test('two clicks make one key', { tag: '@no-script' }, async ({ site }) => {
  await site.newKey.open();
  await site.newKey.fill({ name: 'clicked twice' });
  await site.newKey.submit.dblclick();
  // Without script the browser may drop the first answer, and with it the secret, which is never shown again.
  await expect(site.created('clicked twice').dialog.or(site.newKey.createdAlready)).toBeVisible();
  await site.agentKeys.open();
  await expect(site.agentKeys.row('clicked twice')).toHaveCount(1);
});

test('a name that is markup is only ever a name', async ({ site }) => {
  const name = '<img src=x onerror="document.title=1"> & “quotes”';
  await site.newKey.create({ name });
  await site.agentKeys.open();
  await expect(site.agentKeys.row(name)).toHaveCount(1);
});
