import { readFile } from 'node:fs/promises';
import type { App } from '../fixtures/app';
import { basic, type CreatedKey } from '../fixtures/engine';
import { operator, type Person } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

/** Keys of this person, by number. */
async function keysOf(app: App, { username, password }: Person, count: number): Promise<CreatedKey[]> {
  const owner = basic(username, password);
  const names = Array.from({ length: count }, (_, index) => `old-${String(index + 1).padStart(2, '0')}`);
  return Promise.all(names.map((name) => app.engine.createAgentKey(name, ['event:write'], { owner })));
}

async function works(app: App, key: CreatedKey): Promise<boolean> {
  const who = await app.engine.call('GET', '/_security/_authenticate', undefined, `ApiKey ${key.encoded}`);
  return who.status === 200;
}

test('several keys are revoked together, each by its name', { tag: '@no-script' }, async ({ app, javaScript, site }) => {
  const person = await operator(app);
  const [first, second, third] = await keysOf(app, person, 3);
  await site.signInByRequest(person);
  await site.agentKeys.open('?sort=name');
  await expect(site.agentKeys.selection).toBeHidden();
  await site.agentKeys.box(first!.name).check();
  await expect(site.agentKeys.selection).toContainText(javaScript ? '1 key selected' : 'Keys selected');
  // The keyboard does as well as the mouse.
  await site.agentKeys.box(third!.name).focus();
  await site.page.keyboard.press('Space');
  if (javaScript) await expect(site.agentKeys.selection).toContainText('2 keys selected');

  await site.agentKeys.revokeSelected();
  await site.revokeMany.isAsked(2);
  await expect(site.revokeMany.dialog).toContainText('minute');
  await expect(site.revokeMany.row(first!.name)).toContainText(first!.id);
  await expect(site.revokeMany.row(second!.name)).toHaveCount(0);
  await expect(site.revokeMany.dialog.getByRole('link', { name: 'Cancel' })).toBeFocused();

  // Whoever leaves the question finds the list, its order and the choice as they were.
  await site.revokeMany.cancel();
  await expect(site.page).toHaveURL(/sort=name/);
  await expect(site.agentKeys.box(first!.name)).toBeChecked();
  await expect(site.agentKeys.box(second!.name)).not.toBeChecked();
  await site.reload();
  await expect(site.agentKeys.box(third!.name)).toBeChecked();
  expect(await works(app, first!)).toBe(true);

  await site.agentKeys.revokeSelected();
  await site.revokeMany.isAsked(2);
  await site.revokeMany.confirm();
  await site.revokeMany.ended('2 keys revoked');
  await expect(site.revokeMany.row(first!.name)).toContainText('Revoked');
  await expect(site.revokeMany.row(third!.name)).toContainText('Revoked');
  expect(await Promise.all([first!, second!, third!].map((key) => works(app, key)))).toEqual([false, true, false]);

  await site.revokeMany.close();
  for (const key of [first!, third!]) {
    await expect(site.agentKeys.row(key.name)).toContainText('Revoked');
    await expect(site.agentKeys.box(key.name)).toHaveCount(0);
  }
  await expect(site.agentKeys.row(second!.name)).toContainText('Active');
  await expect(site.agentKeys.selection).toBeHidden();
});

test('all keys of the page are selected at once, and cleared', { tag: '@no-script' }, async ({ app, site }) => {
  const person = await operator(app);
  const keys = await keysOf(app, person, 3);
  await app.engine.revoke(keys[1]!.id);
  await site.signInByRequest(person);
  await site.agentKeys.open('?sort=name');
  await site.agentKeys.selectAll();
  await expect(site.agentKeys.box(keys[0]!.name)).toBeChecked();
  await expect(site.agentKeys.box(keys[2]!.name)).toBeChecked();
  await expect(site.agentKeys.selection).toBeVisible();
  await site.agentKeys.clearSelection();
  await expect(site.agentKeys.box(keys[0]!.name)).not.toBeChecked();
  await expect(site.page).toHaveURL(/sort=name/);
});

test('what is selected on one page is not selected on another', async ({ app, site }) => {
  const person = await operator(app);
  const keys = await keysOf(app, person, 16);
  await site.signInByRequest(person);
  await site.agentKeys.open('?sort=name&rows=15');
  await site.agentKeys.box(keys[0]!.name).check();
  await site.agentKeys.turn(site.agentKeys.next, '16–');
  await expect(site.agentKeys.box(keys[15]!.name)).not.toBeChecked();
  await expect(site.agentKeys.selection).toBeHidden();
  await site.agentKeys.turn(site.agentKeys.previous, '1–');
  await expect(site.agentKeys.box(keys[0]!.name)).not.toBeChecked();
  await expect(site.agentKeys.selection).toBeHidden();
});

test('what somebody else revoked meanwhile is told as such', async ({ app, site }) => {
  const person = await operator(app);
  const [first, second] = await keysOf(app, person, 2);
  await site.signInByRequest(person);
  await site.agentKeys.open();
  await site.agentKeys.selectAll();
  await site.agentKeys.revokeSelected();
  await site.revokeMany.isAsked(2);
  await app.engine.revoke(first!.id);
  await site.revokeMany.confirm();
  await site.revokeMany.ended('1 of 2 keys revoked');
  await expect(site.revokeMany.dialog).toContainText('1 revoked, 1 was already revoked.');
  await expect(site.revokeMany.row(first!.name)).toContainText('Already revoked');
  await expect(site.revokeMany.row(second!.name)).toContainText('Revoked');
});

test('more than twenty keys are revoked only after their number was typed', async ({ app, site }) => {
  const person = await operator(app);
  const keys = await keysOf(app, person, 21);
  await site.signInByRequest(person);
  await site.agentKeys.open();
  await site.agentKeys.selectAll();
  await site.agentKeys.revokeSelected();
  await site.revokeMany.isAsked(21);
  await site.revokeMany.number.fill('20');
  await site.revokeMany.confirm();
  await expect(site.revokeMany.dialog).toContainText('Type 21 to confirm, or cancel.');
  await expect(site.revokeMany.number).toHaveAttribute('aria-invalid', 'true');
  expect(await works(app, keys[20]!)).toBe(true);
  await site.revokeMany.number.fill('21');
  await site.revokeMany.confirm();
  await site.revokeMany.ended('21 keys revoked');
  expect(await works(app, keys[20]!)).toBe(false);
});

test('all keys that match are revoked, on every page, after their number was typed', { tag: '@base-path' }, async ({ app, site }) => {
  const person = await operator(app);
  const keys = await keysOf(app, person, 30);
  const other = await app.engine.createAgentKey('kept', ['event:write'], {
    owner: basic(person.username, person.password),
  });
  await site.signInByRequest(person);
  await site.agentKeys.open('?q=old-');
  await site.agentKeys.box(keys[29]!.name).check();
  await site.agentKeys.selection.getByRole('link', { name: 'Revoke all that match' }).click();
  await site.revokeMany.isAsked(30);
  await expect(site.revokeMany.dialog).toContainText('And 15 more keys.');
  await site.revokeMany.number.fill('29');
  await site.revokeMany.confirm();
  await expect(site.revokeMany.dialog).toContainText('Type 30 to confirm, or cancel.');
  await site.revokeMany.number.fill('30');
  await site.revokeMany.confirm();
  await site.revokeMany.ended('30 of 30 keys done');
  await expect(site.revokeMany.dialog).toContainText('30 revoked.');
  expect(await works(app, keys[0]!)).toBe(false);
  expect(await works(app, other)).toBe(true);

  const download = site.page.waitForEvent('download');
  await site.revokeMany.dialog.getByRole('link', { name: 'Download results' }).click();
  const file = await download;
  expect(file.suggestedFilename()).toBe('revoked-keys.csv');
  const lines = (await readFile(await file.path(), 'utf8')).trim().split('\r\n');
  expect(lines[0]).toBe('id,name,result');
  expect(lines.slice(1).toSorted()).toEqual(keys.map(({ id, name }) => `${id},"${name}",Revoked`).toSorted());

  await site.revokeMany.close();
  await expect(site.page).toHaveURL(/q=old(-|%2D)/);
  await expect(site.agentKeys.row(keys[29]!.name)).toContainText('Revoked');
});

/** The body of a refusal because the password was not entered within five minutes. */
const PASSWORD_NEEDED = Buffer.from([7, 0, 0]);

test('a revocation under way asks for the password in its dialog, and goes on @script', async ({ app, site }) => {
  const person = await operator(app);
  const names = Array.from({ length: 1_001 }, (_, index) => `lapse-${index}`);
  await app.engine.createAgentKeys(names, basic(person.username, person.password));
  await site.signInByRequest(person);
  await site.page.goto(`${site.url}/settings/agent-keys/revoke?all=true&q=lapse-`);
  await site.ready();
  let calls = 0;
  await site.page.route('**/api/revoke_matching_keys', (route) => {
    calls += 1;
    return calls === 2 ? route.fulfill({ status: 403, body: PASSWORD_NEEDED }) : route.continue();
  });
  await site.revokeMany.number.fill('1001');
  await site.revokeMany.confirm();
  const { dialog } = site.revokeMany;
  await expect(dialog.getByRole('alert')).toContainText('Enter it again to continue', { timeout: 30_000 });
  await expect(dialog).toContainText('1,000 of 1,001 keys done');
  const password = dialog.getByLabel('Password', { exact: true });
  await expect(password).toBeFocused();
  await password.fill('wrong');
  await password.press('Enter');
  await expect(dialog).toContainText('The password is wrong');
  await password.fill(person.password);
  await password.press('Enter');
  await site.revokeMany.ended('1,001 of 1,001 keys done');
  await expect(dialog).toContainText('1,001 revoked.');
  expect(calls).toBe(3);
});
