import { readFile } from 'node:fs/promises';
import { elastic, operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

test('what a person did is found, read and taken along by who manages security', { tag: ['@firefox', '@no-script', '@base-path'] }, async ({ app, site }) => {
  const person = await operator(app);
  const name = `audited-${process.pid}-${site.javaScript}`;
  await site.signInByRequest(person);
  await site.newKey.create({ name });
  await site.created(name).finish();
  await site.signOut();

  await site.signIn(elastic(app));
  await site.page.getByRole('link', { name: 'Audit log' }).click();
  await expect(site.heading('Audit log')).toBeVisible();
  await site.ready();
  await site.audit.filter({ target: name, action: 'Create agent key' });
  await expect(site.audit.events).toHaveCount(1);
  await expect(site.audit.event('Create agent key', 'Success', name)).toContainText(person.username);

  await site.audit.filter({ outcome: 'Success' });
  await expect(site.audit.events).toHaveCount(1);
  await expect(site.page).toHaveURL(/outcome=success/);
  await site.reload();
  await expect(site.audit.events).toHaveCount(1);
  expect(await site.audit.readFirst()).toMatchObject({
    user: { name: person.username },
    event: { action: 'agent_key_create', outcome: 'success' },
    agent_keys: { api_key: { name } },
  });

  const lines = await readFile(await (await site.audit.export('JSON lines')).path(), 'utf8');
  const records = lines.trimEnd().split('\n').map((line) => JSON.parse(line) as { record: unknown; mac: string });
  expect(records).toHaveLength(1);
  expect(records[0]?.record).toMatchObject({ agent_keys: { api_key: { name } } });
  expect(records[0]?.mac).toMatch(/^[0-9a-f]{64}$/);
});

test('Back shows the filters of the page that it leads to @script', async ({ app, site }) => {
  await site.signInByRequest(elastic(app));
  await site.audit.open();
  await site.audit.filter({ person: 'ada', action: 'Create agent key' });
  await expect(site.page).toHaveURL(/person=ada&action=agent_key_create$/);
  await site.audit.filter({ person: 'ben', action: 'Sign in' });
  await expect(site.page).toHaveURL(/person=ben&action=user_login$/);
  await site.page.goBack();
  const person = site.page.getByLabel('User', { exact: true });
  const action = site.page.getByLabel('Action', { exact: true });
  await expect(person).toHaveValue('ada');
  await expect(action).toHaveValue('agent_key_create');
  await site.page.goBack();
  await expect(person).toHaveValue('');
  await expect(action).toHaveValue('');
});

test('days that are no period are named, and the form stays', async ({ app, site }) => {
  await site.signInByRequest(elastic(app));
  await site.audit.open('?from=2026-12-15&to=2026-12-14&person=ada');
  await expect(site.page.getByRole('alert')).toContainText('The start date is after the end date');
  await expect(site.page.getByLabel('User', { exact: true })).toHaveValue('ada');
});
