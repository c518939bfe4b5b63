import { basic } from '../fixtures/engine';
import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

test.beforeEach(async ({ app, site }) => {
  const person = await operator(app);
  const owner = basic(person.username, person.password);
  await app.engine.createAgentKey(`focus ${person.username}`, ['event:write'], { owner });
  await site.signInByRequest(person);
});

test('a dialog opens on its first field and closes to what opened it, each time', { tag: '@firefox' }, async ({ site }) => {
  await site.agentKeys.open();
  for (let time = 0; time < 3; time += 1) {
    await site.agentKeys.create.focus();
    await site.page.keyboard.press('Enter');
    await expect(site.newKey.name).toBeFocused();
    await site.page.keyboard.press('Escape');
    await expect(site.newKey.dialog).toBeHidden();
    await expect(site.agentKeys.create).toBeFocused();
  }
});

test('a refused form moves to its first invalid field', async ({ site }) => {
  await site.newKey.open();
  await expect(site.newKey.name).toBeFocused();
  await site.page.keyboard.type('_not allowed');
  await site.page.keyboard.press('Enter');
  await expect(site.newKey.name).toHaveAttribute('aria-invalid', 'true');
  await expect(site.newKey.name).toBeFocused();
  await site.newKey.fill({ name: 'allowed', privileges: [] });
  await site.newKey.submit.press('Enter');
  await expect(site.newKey.privilege('event:write')).toBeFocused();
});

test('the created dialog opens on Copy, and going to a page moves to its heading', async ({ site }) => {
  await site.newKey.create({ name: 'on copy' });
  await expect(site.created('on copy').copy).toBeFocused();
  await site.created('on copy').finish();
  await site.page.getByRole('link', { name: 'APM integration', exact: true }).press('Enter');
  await expect(site.heading('APM integration')).toBeFocused();
});

test('cancelling a revocation returns to its row and keeps the list', async ({ site }) => {
  await site.agentKeys.open('?sort=name');
  const revoke = site.agentKeys.table.getByRole('link', { name: /^Revoke focus/ });
  await revoke.press('Enter');
  await expect(site.page.getByRole('alertdialog').getByRole('link', { name: 'Cancel' })).toBeFocused();
  await site.page.keyboard.press('Escape');
  await expect(revoke).toBeFocused();
  expect(site.page.url()).toContain('sort=name');
});

test('cancelling a revocation on the page of a key returns to its link @script', async ({ site }) => {
  await site.agentKeys.open();
  await site.agentKeys.table.getByRole('rowheader').getByRole('link').first().press('Enter');
  await expect(site.heading(/^focus /)).toBeFocused();
  const revoke = site.page.getByRole('main').getByRole('link', { name: 'Revoke' });
  for (let time = 0; time < 2; time += 1) {
    await revoke.press('Enter');
    await expect(site.page.getByRole('alertdialog').getByRole('link', { name: 'Cancel' })).toBeFocused();
    await site.page.keyboard.press('Escape');
    await expect(site.page.getByRole('alertdialog')).toBeHidden();
    await expect(revoke).toBeFocused();
  }
});

test('going back from the page of a key moves to the heading of the list @script', async ({ site }) => {
  await site.agentKeys.open();
  await site.agentKeys.table.getByRole('rowheader').getByRole('link').first().press('Enter');
  await expect(site.heading(/^focus /)).toBeFocused();
  await site.page.goBack();
  await expect(site.heading('Agent keys')).toBeFocused();
});

test('behind a dialog nothing takes the focus, the skip link neither', async ({ site }) => {
  await site.newKey.open();
  await expect(site.newKey.name).toBeFocused();
  const places = new Set<boolean>();
  for (let step = 0; step < 30; step += 1) {
    await site.page.keyboard.press('Tab');
    places.add(await site.page.evaluate(() => document.activeElement?.closest('dialog') !== null || document.activeElement === document.body));
  }
  expect([...places]).toEqual([true]);
});
