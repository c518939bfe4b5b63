import { expect, cutConnection, test } from '../fixtures/outage';
import { basic } from '../fixtures/engine';
import { operator } from '../fixtures/people';

test('while Elasticsearch is down, pages name the cause, and sessions and sign-out work', async ({
  app,
  outage,
  expectAccessible,
  siteOf,
  watch,
}) => {
  const person = await operator(app);
  const owner = basic(person.username, person.password);
  const { id } = await app.engine.createAgentKey('checkout-prod', ['event:write'], { owner });
  const site = siteOf(outage.app);
  await site.signIn(person);
  // 502: a request under way when the connection breaks. 503: every later one.
  watch.pardon(/50[23]/);
  await cutConnection(site, outage.line);
  await expect(site.page.getByRole('banner')).toContainText('Not responding');
  await expect(site.agentKeys.table).toHaveCount(0);
  await expect(site.agentKeys.create).toHaveCount(0);
  await expectAccessible();

  await site.visit(`/settings/agent-keys/${id}`);
  await expect(site.outage).toBeVisible();
  await expect(site.page.getByRole('link', { name: 'Revoke' })).toHaveCount(0);

  await site.visit('/settings/sessions');
  await expect(site.heading('Your sessions')).toBeVisible();
  await expect(site.page.getByRole('main').getByRole('table')).toBeVisible();
  await expect(site.outage).toHaveCount(0);
  await expectAccessible();

  await site.signOut();
  await expect(site.page.getByText('Not reachable')).toBeVisible();
  await site.signInPage.submit(person);
  await expect(site.page.getByRole('alert')).toContainText('Elasticsearch cannot be reached');
});

test('a retry shows the list once Elasticsearch answers', async ({ app, outage, siteOf, watch }) => {
  const person = await operator(app);
  const owner = basic(person.username, person.password);
  await app.engine.createAgentKeys(['checkout-prod', 'payments'], owner);
  const site = siteOf(outage.app);
  await site.signIn(person);
  // 502: a request under way when the connection breaks. 503: every later one.
  watch.pardon(/50[23]/);
  await cutConnection(site, outage.line);
  const retry = site.page.getByRole('link', { name: 'Try again' });
  await retry.click();
  await expect(site.outage).toBeVisible();

  await outage.line.open();
  await retry.click();
  await site.ready();
  await expect(site.outage).toHaveCount(0);
  await expect(site.agentKeys.create).toBeVisible();
  await expect(site.page.getByRole('banner')).not.toContainText('Not responding');

  await outage.line.cut();
  await site.agentKeys.search('checkout');
  await expect(site.outage).toBeVisible();
  await outage.line.open();
  await retry.click();
  await site.ready();
  await expect(site.outage).toHaveCount(0);
  expect(await site.agentKeys.names()).toEqual(['checkout-prod']);
});
