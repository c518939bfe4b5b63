import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

test('a wrong password says so, keeps the name and not the password', async ({ app, site }) => {
  const person = await operator(app);
  await site.visit('/login');
  await site.signInPage.submit({ ...person, password: 'not this one' });
  await expect(site.signInPage.complaint).toContainText('wrong');
  await expect(site.signInPage.username).toHaveValue(person.username);
  await expect(site.signInPage.password).toHaveValue('');
  // The control: with the right one, nothing is in the way.
  await site.ready();
  await site.signInPage.submit(person);
  await expect(site.page).toHaveURL(/\/settings\/agent-keys/);
});

test('after signing in a person is where they wanted to go', { tag: '@base-path' }, async ({ app, site }) => {
  const person = await operator(app);
  await site.visit('/settings/apm-integration');
  await expect(site.page).toHaveURL(/\/login/);
  await site.signInPage.submit(person);
  await expect(site.page).toHaveURL(/\/settings\/apm-integration$/);
});

test('signing out ends the session, in every tab', { tag: ['@firefox', '@no-script', '@base-path'] }, async ({ app, site }) => {
  await site.signIn(await operator(app));
  const other = await site.otherTab();
  await other.agentKeys.open();
  await site.signOut();
  await other.page.reload();
  await expect(other.page).toHaveURL(/\/login/);
  // Going back shows nothing of the session either.
  await site.page.goBack();
  await expect(site.userMenu).toBeHidden();
});

