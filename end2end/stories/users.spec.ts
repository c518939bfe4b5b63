import { basic } from '../fixtures/engine';
import { elastic, operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';
import type { App } from '../fixtures/app';

interface StoredUser {
  roles: string[];
  full_name: string | null;
  email: string | null;
  metadata: Record<string, unknown>;
  enabled: boolean;
}

async function stored(app: App, username: string): Promise<StoredUser | undefined> {
  const { body } = await app.engine.call<Record<string, StoredUser>>('GET', `/_security/user/${username}`);
  return body[username];
}

test.beforeEach(async ({ app, site }) => {
  await operator(app);
  await site.signInByRequest(elastic(app));
});

test('the role is given and taken, and nothing else of the user changes', { tag: ['@firefox', '@no-script', '@base-path'] }, async ({ app, site, javaScript }) => {
  const username = `role.${process.pid}.${javaScript}`;
  const before = {
    roles: ['viewer', 'monitoring_user'],
    full_name: 'Mara Okafor',
    email: 'mara@example.com',
    metadata: { desk: 'four' },
    enabled: true,
  };
  await app.engine.expect('PUT', `/_security/user/${username}`, { ...before, password: 'correct horse' });

  await site.users.open();
  await site.users.toggleRole(username);
  await expect(site.users.row(username)).toContainText('apm_agent_key_role');
  expect(await stored(app, username)).toMatchObject({ ...before, roles: [...before.roles, 'apm_agent_key_role'] });
  // The password too: it was never part of the change.
  expect((await app.engine.call('GET', '/_security/_authenticate', undefined, basic(username, 'correct horse'))).status).toBe(200);

  await site.users.toggleRole(username);
  await expect(site.users.row(username)).not.toContainText('apm_agent_key_role');
  expect(await stored(app, username)).toMatchObject(before);
});

test('a user is disabled and enabled', async ({ app, site }) => {
  const person = await operator(app);
  const status = async () =>
    (await app.engine.call('GET', '/_security/_authenticate', undefined, basic(person.username, person.password))).status;
  await site.users.open();
  await site.users.act(person.username, 'Disable');
  await expect(site.users.row(person.username)).toContainText('Disabled');
  expect(await status()).toBe(401);
  await site.users.act(person.username, 'Enable');
  await expect(site.users.row(person.username)).not.toContainText('Disabled');
  expect(await status()).toBe(200);
});

test('a password is reset', { tag: '@firefox' }, async ({ app, site }) => {
  const person = await operator(app);
  const status = async (password: string) =>
    (await app.engine.call('GET', '/_security/_authenticate', undefined, basic(person.username, password))).status;
  await site.users.open();
  await site.users.resetPassword(person.username, 'another horse battery');
  await expect.poll(() => status('another horse battery')).toBe(200);
  expect(await status(person.password)).toBe(401);
});

test('a user is deleted after a question that names them', async ({ app, site }) => {
  const person = await operator(app);
  await site.users.open();
  await site.users.delete(person.username);
  await expect(site.users.row(person.username)).toHaveCount(0);
  expect(await stored(app, person.username)).toBeUndefined();
});

test('a name that is taken and a password that is too short are answered at their fields', { tag: '@base-path' }, async ({ app, site }) => {
  const person = await operator(app);
  await site.users.open();
  const form = await site.users.startCreating();
  await form.getByLabel('Username').fill(person.username);
  await form.getByLabel('Password', { exact: true }).fill('short');
  await form.getByLabel(/^Full name/).fill('Somebody Else');
  await form.getByRole('button', { name: 'Create user' }).click();
  await expect(form.getByLabel('Password', { exact: true })).toHaveAttribute('aria-invalid', 'true');
  await expect(form.getByLabel('Username')).toHaveValue(person.username);
  await expect(form.getByLabel(/^Full name/)).toHaveValue('Somebody Else');
  await site.ready();
  await form.getByLabel('Password', { exact: true }).fill('long enough by far');
  await form.getByRole('button', { name: 'Create user' }).click();
  await expect(form.getByLabel('Username')).toHaveAttribute('aria-invalid', 'true');
  await expect(form.getByLabel('Username')).toHaveAccessibleDescription(/exists|taken/);
  // The user of that name is who they were.
  const who = await app.engine.call('GET', '/_security/_authenticate', undefined, basic(person.username, person.password));
  expect(who.status).toBe(200);
});

test('a role that lacks privileges is shown with what a repair adds, and repaired in one click', async ({ untouchedApp, siteOf }) => {
  const site = siteOf(untouchedApp);
  await untouchedApp.engine.putRole('apm_agent_key_role', {
    cluster: ['manage_own_api_key', 'monitor'],
    applications: [{ application: 'apm', privileges: ['event:write'], resources: ['*'] }],
  });
  await site.signInByRequest(elastic(untouchedApp));
  await site.users.open();
  await expect(site.users.role).toContainText('Needs repair');
  await expect(site.users.role.getByRole('insertion').filter({ hasText: 'config_agent:read' })).toBeVisible();
  await expect(site.users.role.getByRole('deletion')).toHaveCount(0);
  await site.users.role.getByRole('button', { name: 'Repair role' }).click();
  await expect(site.users.role).toContainText('Works, and grants more');
  await site.users.role.getByText('Show what else it grants').click();
  await expect(site.users.role.getByRole('group', { name: 'Beyond the documented role' })).toContainText('monitor');
});
