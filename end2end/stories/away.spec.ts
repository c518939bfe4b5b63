import { expect, takeAway, test } from '../fixtures/away';
import { basic } from '../fixtures/engine';
import { operator, type Person } from '../fixtures/people';
import type { App } from '../fixtures/app';

async function arrange(app: App): Promise<Person> {
  const person = await operator(app);
  const owner = basic(person.username, person.password);
  await app.engine.createAgentKeys(['checkout-prod', 'checkout-staging', 'payments'], owner);
  return person;
}

test('while Elasticsearch is away the list is there, dated, and nothing can be changed', async ({
  app,
  away,
  expectAccessible,
  siteOf,
}) => {
  const person = await arrange(app);
  const site = siteOf(away.app);
  await site.signIn(person);
  await takeAway(site, away.line);

  await expect(site.outage).toContainText('Elasticsearch cannot be reached');
  await expect(site.outage).toContainText(/This list is as of \d{1,2} \w{3} \d{4}, \d\d:\d\d:\d\d UTC and read-only/);
  await expect(site.page.getByRole('banner')).toContainText('Not answering since');
  await expect(site.agentKeys.create).toHaveCount(0);
  await expect(site.page.getByRole('button', { name: 'Create APM agent key' })).toBeDisabled();
  await expect(site.page.getByRole('link', { name: /^Revoke / })).toHaveCount(0);
  expect((await site.agentKeys.names()).toSorted()).toEqual(['checkout-prod', 'checkout-staging', 'payments']);
  await expectAccessible();

  await site.agentKeys.search('staging');
  await expect(site.agentKeys.range).toContainText('of 1 key');
  expect(await site.agentKeys.names()).toEqual(['checkout-staging']);
  await site.agentKeys.row('checkout-staging').getByRole('link', { name: 'checkout-staging', exact: true }).click();
  await expect(site.heading('checkout-staging')).toBeVisible();
  await expect(site.outage).toContainText('This page is as of');
  await expect(site.page.getByRole('link', { name: 'Revoke' })).toHaveCount(0);
  await expectAccessible();
});

test('when it is back, the next look shows the list as it is', async ({ app, away, javaScript, siteOf }) => {
  const person = await arrange(app);
  const site = siteOf(away.app);
  await site.signIn(person);
  await takeAway(site, away.line);
  const retry = site.page.getByRole('link', { name: 'Retry now' });
  await retry.click();
  await expect(site.outage).toBeVisible();

  await away.line.open();
  await retry.click();
  await site.ready();
  await expect(site.outage).toHaveCount(0);
  await expect(site.agentKeys.create).toBeVisible();
  await expect(site.page.getByRole('banner')).not.toContainText('Not answering');

  // Where there is no script, every page is asked for whole.
  if (!javaScript) return;
  await away.line.cut();
  await site.agentKeys.search('checkout');
  await expect(site.outage).toBeVisible();
  await expect(site.page.getByRole('banner')).toContainText('Not answering since');
  await away.line.open();
  await site.agentKeys.search('payments');
  await expect(site.outage).toHaveCount(0);
  await expect(site.page.getByRole('banner')).not.toContainText('Not answering');
  await site.agentKeys.create.click();
  await expect(site.newKey.submit).toBeVisible();
});

test('nothing is remembered of a list that was never opened', async ({ app, away, siteOf, watch }) => {
  const person = await operator(app);
  const site = siteOf(away.app);
  await site.visit('/login?next=/settings/sessions');
  await site.signInPage.submit(person);
  await expect(site.heading('Your sessions')).toBeVisible();
  await away.line.cut();
  watch.pardon(/503/);
  await site.visit('/settings/agent-keys');
  await expect(site.page.getByRole('alert')).toContainText('Elasticsearch cannot be reached');
  await expect(site.agentKeys.table).toHaveCount(0);
});
