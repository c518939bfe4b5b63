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

async function status(app: App, username: string, password: string): Promise<number> {
  return (await app.engine.call('GET', '/_security/_authenticate', undefined, basic(username, password))).status;
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
  await site.users.act(username, 'Give agent key role');
  await expect(site.users.row(username)).toContainText('apm_agent_key_role');
  await expect(site.users.notice).toContainText(`Gave the agent key role to ${username}.`);
  expect(await stored(app, username)).toMatchObject({ ...before, roles: [...before.roles, 'apm_agent_key_role'] });
  // The password too: it was never part of the change.
  expect((await app.engine.call('GET', '/_security/_authenticate', undefined, basic(username, 'correct horse'))).status).toBe(200);

  await site.users.act(username, 'Remove agent key role');
  await expect(site.users.row(username)).not.toContainText('apm_agent_key_role');
  await expect(site.users.notice).toContainText(`Took the agent key role from ${username}.`);
  expect(await stored(app, username)).toMatchObject(before);
});

test('a user is disabled after a question, and enabled', { tag: '@no-script' }, async ({ app, site }) => {
  const person = await operator(app);
  const status = async () =>
    (await app.engine.call('GET', '/_security/_authenticate', undefined, basic(person.username, person.password))).status;
  await site.users.open();
  const question = await site.users.startTo(person.username, 'Disable', `Disable ${person.username}?`);
  await expect(question).toContainText('Their keys keep working');
  await question.getByRole('link', { name: 'Cancel' }).click();
  await expect(question).toBeHidden();
  await site.ready();
  expect(await status()).toBe(200);
  await site.users.disable(person.username);
  await expect(site.users.row(person.username)).toContainText('Disabled');
  await expect(site.users.notice).toContainText(`Disabled ${person.username}.`);
  expect(await status()).toBe(401);
  await site.users.act(person.username, 'Enable');
  await expect(site.users.row(person.username)).not.toContainText('Disabled');
  await expect(site.users.notice).toContainText(`Enabled ${person.username}.`);
  expect(await status()).toBe(200);
});

test('a password is reset', async ({ app, site }) => {
  const person = await operator(app);
  const status = async (password: string) =>
    (await app.engine.call('GET', '/_security/_authenticate', undefined, basic(person.username, password))).status;
  await site.users.open();
  await site.users.resetPassword(person.username, 'another horse battery');
  await expect.poll(() => status('another horse battery')).toBe(200);
  expect(await status(person.password)).toBe(401);
});

test('a generated password is shown once, and Escape does not lose it', { tag: '@no-script' }, async ({ app, site, javaScript }) => {
  const username = `generated.${process.pid}.${javaScript}`;
  await site.users.open();
  const form = await site.users.startCreating();
  await form.getByLabel('Username').fill(username);
  await expect(form.getByRole('radio', { name: 'Generate a password' })).toBeChecked();
  await expect(form.getByLabel('Password', { exact: true })).toBeHidden();
  await form.getByRole('button', { name: 'Create user' }).click();
  const created = site.users.generated(`User created: ${username}`);
  await expect(created).toBeVisible();
  const password = await site.users.generatedPassword(created);
  expect(await status(app, username, password)).toBe(200);
  expect(site.page.url()).not.toContain(password);
  await site.page.keyboard.press('Escape');
  await expect(created).toBeVisible();
  // Done waits for the person to say that the password is stored.
  await created.getByRole('button', { name: 'Done' }).click();
  await expect(created).toBeVisible();
  await created.getByRole('checkbox', { name: 'I have stored this password' }).check();
  await created.getByRole('button', { name: 'Done' }).click();
  await expect(created).toBeHidden();
  await site.ready();
  await expect(site.users.notice).toContainText(`Created ${username}.`);
  expect(await site.page.content()).not.toContain(password);

  const dialog = await site.users.startTo(username, 'Change password', `New password for ${username}`);
  await dialog.getByRole('button', { name: 'Set password' }).click();
  const reset = site.users.generated(`New password set for ${username}`);
  await expect(reset).toBeVisible();
  expect(await status(app, username, await site.users.generatedPassword(reset))).toBe(200);
  expect(await status(app, username, password)).toBe(401);
});

test('a generated password is copied', async ({ site }) => {
  await site.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await site.users.open();
  const form = await site.users.startCreating();
  await form.getByLabel('Username').fill(`copied.${process.pid}`);
  await form.getByRole('button', { name: 'Create user' }).click();
  const created = site.users.generated(`User created: copied.${process.pid}`);
  await expect(created.getByRole('button', { name: 'Copy the password' })).toBeFocused();
  await created.getByRole('button', { name: 'Copy the password' }).click();
  await expect(created.getByRole('button', { name: 'Copied the password' })).toBeVisible();
  const copied = await site.page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(await site.users.generatedPassword(created));
});

test('the menu of a user works by keyboard, and the focus stays in its row', async ({ app, site }) => {
  const person = await operator(app);
  await site.users.open();
  const actions = site.users.actions(person.username);
  await actions.focus();
  await site.page.keyboard.press('Enter');
  const menu = site.users.row(person.username).getByRole('list');
  await expect(menu).toBeVisible();
  await site.page.keyboard.press('Escape');
  await expect(menu).toBeHidden();
  await expect(actions).toBeFocused();
  // A change in the list.
  await site.users.act(person.username, 'Remove agent key role');
  await expect(site.users.row(person.username)).not.toContainText('apm_agent_key_role');
  await expect(actions).toBeFocused();
  // A dialog closes to the menu that opened it.
  await site.users.startTo(person.username, 'Delete', `Delete ${person.username}?`);
  await site.page.keyboard.press('Escape');
  await expect(actions).toBeFocused();
});

test('reserved users are behind a switch, and the search keeps it', { tag: '@no-script' }, async ({ site, javaScript }) => {
  await site.users.open('?q=kibana_system');
  await expect(site.page.getByRole('heading', { name: 'No user matches' })).toBeVisible();
  const reserved = site.page.getByRole('switch', { name: 'Show reserved users' });
  await reserved.check();
  if (!javaScript) await site.page.getByRole('button', { name: 'Apply' }).first().click();
  await expect(site.users.row('kibana_system')).toContainText('Reserved');
  const menu = await site.users.menu('kibana_system');
  await expect(menu.getByRole('link', { name: 'Change password' })).toBeVisible();
  await expect(menu.getByRole('link', { name: /Disable|Delete/ })).toHaveCount(0);
  await site.page.keyboard.press('Escape');
  await site.page.getByRole('searchbox', { name: 'Search users' }).fill('beats');
  await site.page.keyboard.press('Enter');
  await expect(site.users.row('beats_system')).toBeVisible();
  await expect(reserved).toBeChecked();
  if (javaScript) await expect(site.page.getByRole('searchbox', { name: 'Search users' })).toBeFocused();
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
  await site.users.enterPassword(form, 'short');
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

test('a role mapping is created, changed and deleted', { tag: '@no-script' }, async ({ app, site, javaScript }) => {
  const name = `agents.${process.pid}.${javaScript}`;
  const stored = async () =>
    (await app.engine.call<Record<string, { enabled: boolean; rules: unknown }>>('GET', '/_security/role_mapping')).body[name];
  const rules = (groups: string[]) => ({ all: [{ field: { 'realm.name': 'saml1' } }, { field: { groups } }] });
  await site.users.open();
  await site.page.getByRole('link', { name: 'Create role mapping' }).click();
  await expect(site.users.mappingDialog).toBeVisible();
  await site.ready();
  await site.users.fillMapping({ name, realm: 'saml1', names: ['apm-writers', 'apm-*'] });
  await site.users.mappingDialog.getByRole('button', { name: 'Create role mapping' }).click();
  // The refused form keeps what was typed.
  await expect(site.users.mappingDialog).toContainText('Elasticsearch reads “apm-*” as a pattern.');
  await expect(site.users.mappingDialog.getByLabel('Names')).toBeFocused();
  await expect(site.users.mappingDialog.getByLabel('Realm')).toHaveValue('saml1');
  await site.users.fillMapping({ names: ['apm-writers', 'apm-leads'] });
  await site.users.mappingDialog.getByRole('button', { name: 'Create role mapping' }).click();
  await expect(site.users.mapping(name)).toContainText('apm-leads');
  await expect(site.users.notice).toContainText(`Saved the role mapping ${name}.`);
  expect(await stored()).toMatchObject({ enabled: true, rules: rules(['apm-writers', 'apm-leads']) });

  await site.ready();
  await site.users.mapping(name).getByRole('link', { name: `Edit ${name}` }).click();
  await expect(site.users.mappingDialog.getByLabel('Names')).toHaveValue('apm-writers\napm-leads');
  await site.ready();
  // Another client changes it while the form is open.
  const theirs = { roles: ['apm_agent_key_role'], enabled: true, rules: rules(['theirs', 'others']) };
  await app.engine.expect('PUT', `/_security/role_mapping/${name}`, theirs);
  await site.users.mappingDialog.getByRole('switch', { name: 'Enabled' }).uncheck();
  await site.users.mappingDialog.getByRole('button', { name: 'Save role mapping' }).click();
  await expect(site.users.mappingDialog).toContainText('Changed in the meantime');
  expect(await stored()).toMatchObject(theirs);
  await site.users.open();
  await site.users.mapping(name).getByRole('link', { name: `Edit ${name}` }).click();
  await expect(site.users.mappingDialog.getByLabel('Names')).toHaveValue('theirs\nothers');
  await site.ready();
  await site.users.mappingDialog.getByRole('switch', { name: 'Enabled' }).uncheck();
  await site.users.mappingDialog.getByRole('button', { name: 'Save role mapping' }).click();
  await expect(site.users.mapping(name)).toContainText('Disabled');
  expect(await stored()).toMatchObject({ enabled: false, rules: rules(['theirs', 'others']) });

  await site.ready();
  await site.users.mapping(name).getByRole('link', { name: `Delete ${name}` }).click();
  await expect(site.users.mappingDialog).toContainText('Their keys keep working');
  await site.ready();
  await site.users.mappingDialog.getByRole('button', { name: 'Delete role mapping' }).click();
  await expect(site.users.notice).toContainText(`Deleted the role mapping ${name}.`);
  await expect(site.users.mapping(name)).toHaveCount(0);
  expect(await stored()).toBeUndefined();
});
