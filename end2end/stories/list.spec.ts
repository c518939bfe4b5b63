import { basic } from '../fixtures/engine';
import { operator, type Person } from '../fixtures/people';
import { expect, test } from '../fixtures/story';
import type { App } from '../fixtures/app';

/** Three pages of the longest kind. */
const COUNT = 300;

function name(number: number): string {
  return `bulk-${String(number).padStart(4, '0')}`;
}

const owners = new WeakMap<App, Promise<Person>>();

/** Somebody who owns these keys; made once for all stories of a worker. */
function ownerOfMany(app: App): Promise<Person> {
  let owner = owners.get(app);
  if (owner === undefined) {
    owner = arrange(app);
    owners.set(app, owner);
  }
  return owner;
}

async function arrange(app: App): Promise<Person> {
  const person = await operator(app);
  const names = Array.from({ length: COUNT }, (_, index) => name(index + 1));
  await app.engine.createAgentKeys(names, basic(person.username, person.password));
  return person;
}

test.describe('a list of many keys', () => {
  test.beforeEach(async ({ app, site }) => site.signInByRequest(await ownerOfMany(app)));

  test('is searched, and the address keeps the search', { tag: '@firefox' }, async ({ site }) => {
    await site.agentKeys.open();
    await expect(site.agentKeys.range).toContainText('of 300 keys');
    await site.agentKeys.search('bulk-02');
    await expect(site.agentKeys.range).toContainText('of 100 ');
    expect((await site.agentKeys.names()).filter((shown) => !shown.startsWith('bulk-02'))).toEqual([]);
    await site.reload();
    await expect(site.agentKeys.range).toContainText('of 100 ');
    await expect(site.page.getByRole('searchbox', { name: 'Search keys' })).toHaveValue('bulk-02');
  });

  test('shows the search of the page that Back leads to @script', async ({ site }) => {
    const field = site.page.getByRole('searchbox', { name: 'Search keys' });
    await site.agentKeys.open();
    await site.agentKeys.search('bulk-01');
    await expect(site.agentKeys.range).toContainText('of 100 ');
    await site.agentKeys.search('bulk-029');
    await expect(site.agentKeys.range).toContainText('of 10 ');
    await site.page.goBack();
    await expect(site.agentKeys.range).toContainText('of 100 ');
    await expect(field).toHaveValue('bulk-01');
    await site.page.goBack();
    await expect(site.agentKeys.range).toContainText('of 300 ');
    await expect(field).toHaveValue('');
    await site.page.goForward();
    await expect(field).toHaveValue('bulk-01');
    await site.page.getByRole('link', { name: 'Clear all' }).click();
    await expect(field).toHaveValue('');
  });

  test('is sorted, both ways, and the address keeps the order', { tag: '@firefox' }, async ({ site }) => {
    await site.agentKeys.open();
    await site.agentKeys.sortBy('Name', 'ascending');
    await expect(site.agentKeys.table.getByRole('rowheader').first()).toContainText(name(1));
    await site.agentKeys.sortBy('Name', 'descending');
    await expect(site.agentKeys.table.getByRole('rowheader').first()).toContainText(name(COUNT));
    await expect(site.page).toHaveURL(/sort=name/);
    await site.reload();
    await expect(site.agentKeys.table.getByRole('rowheader').first()).toContainText(name(COUNT));
    const shown = await site.agentKeys.names();
    expect(shown).toEqual(shown.toSorted().toReversed());
  });

  test('is paged back, by its own link and by the browser', { tag: '@no-script' }, async ({ site }) => {
    await site.agentKeys.open('?sort=name&order=asc&rows=50');
    await site.agentKeys.turn(site.agentKeys.next, '51–100');
    await site.agentKeys.turn(site.agentKeys.next, '101–150');
    await site.agentKeys.turn(site.agentKeys.previous, '51–100');
    expect((await site.agentKeys.names())[0]).toBe(name(51));
    await site.goBack();
    await expect(site.agentKeys.range).toContainText('101–150');
    await site.reload();
    expect((await site.agentKeys.names())[0]).toBe(name(101));
  });

  test('says so when nothing fits, and shows the way back', async ({ site }) => {
    await site.agentKeys.open();
    await site.agentKeys.search('no-key-has-this-name');
    await expect(site.page.getByRole('main')).toContainText('No keys match');
    await site.page.getByRole('link', { name: 'Show all keys' }).click();
    await expect(site.agentKeys.range).toContainText('of 300 keys');
  });
});

test('a filter applies as soon as it is ticked, and the address has no empty parts', { tag: ['@firefox', '@no-script'] }, async ({ app, javaScript, site }) => {
  const person = await operator(app);
  const owner = basic(person.username, person.password);
  await app.engine.createAgentKey('alpha', ['event:write'], { owner });
  const revoked = await app.engine.createAgentKey('beta', ['event:write'], { owner });
  await app.engine.revoke(revoked.id);
  await site.signInByRequest(person);
  await site.agentKeys.open();
  await site.page.getByRole('button', { name: 'Status' }).click();
  await site.page.getByRole('checkbox', { name: 'Revoked' }).check();
  if (!javaScript) await site.page.getByRole('button', { name: 'Apply' }).first().click();
  await expect(site.page).toHaveURL(/\/settings\/agent-keys\?status=revoked$/);
  await expect(site.agentKeys.range).toContainText('1–1 of 1 key');
  await site.agentKeys.search('alpha');
  await expect(site.page.getByRole('main')).toContainText('No keys match');
  // The counts follow the search.
  await site.page.getByRole('button', { name: /^Status/ }).click();
  await expect(site.page.getByRole('group', { name: 'Status' }).getByText('Active').locator('..')).toContainText('1');
  await expect(site.page.getByRole('group', { name: 'Status' }).getByText('Revoked').locator('..')).toContainText('0');
});
