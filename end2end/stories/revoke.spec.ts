import { basic } from '../fixtures/engine';
import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

test('revoking names the key, says when, and the key is shown as revoked', { tag: ['@firefox', '@no-script'] }, async ({ app, site }) => {
  const person = await operator(app);
  const key = await app.engine.createAgentKey('to be revoked', ['event:write'], {
    owner: basic(person.username, person.password),
  });
  const who = () => app.engine.call('GET', '/_security/_authenticate', undefined, `ApiKey ${key.encoded}`);
  expect((await who()).status).toBe(200);

  await site.signInByRequest(person);
  await site.agentKeys.open();
  await expect(site.agentKeys.row(key.name)).toContainText('Active');
  await site.agentKeys.startRevoking(key.name);
  const revoke = site.revoke(key.name);
  await expect(revoke.dialog).toContainText('minute');
  await expect(revoke.dialog).toContainText(key.id);

  await revoke.cancel();
  expect((await who()).status).toBe(200);

  await site.agentKeys.startRevoking(key.name);
  await revoke.confirm();
  await expect(site.page).toHaveURL(/\/settings\/agent-keys/);
  await expect(site.agentKeys.row(key.name)).toContainText('Revoked');
  await expect(site.agentKeys.row(key.name).getByRole('link', { name: /^Revoke/ })).toHaveCount(0);
  expect((await who()).status).toBe(401);
});

test('the page of a key leads to the same question', async ({ app, site }) => {
  const person = await operator(app);
  const key = await app.engine.createAgentKey('by its page', ['event:write'], {
    owner: basic(person.username, person.password),
  });
  await site.signInByRequest(person);
  await site.visit(`/settings/agent-keys/${key.id}`);
  await expect(site.heading(/by its page/)).toBeVisible();
  await site.page.getByRole('main').getByRole('link', { name: 'Revoke' }).click();
  await expect(site.revoke(key.name).dialog).toBeVisible();
});

