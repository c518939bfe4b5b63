import { elastic, operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

test('a session that is ended from another place says so at its next click', { tag: '@base-path' }, async ({ app, site }) => {
  const person = await operator(app);
  await site.signIn(person);
  const other = await site.otherBrowser();
  await other.signIn(person);

  await site.sessions.openFromMenu();
  await expect(site.sessions.own).toHaveCount(2);
  await expect(site.page.getByRole('heading', { name: 'Other users' })).toHaveCount(0);
  await expect(site.sessions.thisOne).toHaveCount(1);
  await expect(site.sessions.thisOne).toContainText('127.0.0.1');
  await expect(site.sessions.thisOne).toContainText('Chrome on');
  await expect(site.sessions.thisOne.getByRole('button')).toHaveCount(0);
  await site.sessions.end(site.sessions.own.filter({ hasNotText: 'This session' }));
  await expect(site.sessions.own).toHaveCount(1);

  const menu = other.page.getByRole('navigation', { name: 'Main' });
  await menu.getByRole('link', { name: 'APM integration' }).click();
  await expect(other.page).toHaveURL(/\/login\?reason=elsewhere/);
  await expect(other.page.getByText('You ended this session from another browser')).toBeVisible();
  // The control: whoever ended it goes on.
  await site.sessions.open();
  await expect(site.sessions.own).toHaveCount(1);
  await other.close();
});

test('all other sessions are ended at once', async ({ app, site }) => {
  const person = await operator(app);
  await site.signInByRequest(person);
  const others = [await site.otherBrowser(), await site.otherBrowser()];
  for (const other of others) await other.signIn(person);

  await site.sessions.open();
  await expect(site.sessions.own).toHaveCount(3);
  await site.sessions.endAllOthers();
  await expect(site.sessions.own).toHaveCount(1);
  await expect(site.page.getByRole('button', { name: 'End all other sessions' })).toHaveCount(0);
  for (const other of others) {
    await other.page.reload();
    await expect(other.page).toHaveURL(/\/login/);
    await other.close();
  }
});

test('who manages security ends the session of somebody else', async ({ app, site }) => {
  const person = await operator(app);
  const other = await site.otherBrowser();
  await other.signIn(person);

  // By the row of the user, where there are many others.
  await site.signInByRequest(elastic(app));
  await site.users.open();
  const menu = await site.users.menu(person.username);
  await menu.getByRole('link', { name: 'Sessions' }).click();
  await site.sessions.isShown();
  await site.ready();
  await expect(site.page.getByRole('heading', { name: 'Other users' })).toBeVisible();
  await expect(site.sessions.of(person.username)).toHaveCount(1);
  await site.sessions.end(site.sessions.of(person.username));
  await expect(site.sessions.of(person.username)).toHaveCount(0);
  await other.page.reload();
  await expect(other.page.getByText('An administrator ended this session')).toBeVisible();
  await other.close();
});

test('who does not manage security sees nobody else', async ({ app, site }) => {
  await site.signInByRequest(await operator(app));
  await site.sessions.open();
  await expect(site.sessions.own).toHaveCount(1);
  await expect(site.page.getByRole('heading', { name: 'Other users' })).toHaveCount(0);
});

test('a failure replaces the success that was shown before @script', async ({ app, site }) => {
  const person = await operator(app);
  await site.signInByRequest(person);
  const others = [await site.otherBrowser(), await site.otherBrowser(), await site.otherBrowser()];
  for (const other of others) await other.signInByRequest(person);
  await site.sessions.open();
  const rest = site.sessions.own.filter({ hasNotText: 'This session' });
  await site.sessions.end(rest.first());
  await expect(rest).toHaveCount(2);
  const endAll = site.page.getByRole('button', { name: 'End all other sessions' });
  const problem = site.page.getByRole('main').getByRole('alert');
  await site.page.route('**/api/end_other_sessions', (route) => route.abort());
  await endAll.click();
  await expect(problem).toBeVisible();
  await expect(site.sessions.outcome).toHaveCount(0);
  await site.page.unroute('**/api/end_other_sessions');
  await site.sessions.endAllOthers();
  await expect(problem).toHaveCount(0);
  for (const other of others) await other.close();
});

test('entering the password again leads back to where one was', { tag: '@base-path' }, async ({ app, site }) => {
  const person = await operator(app);
  await site.signInByRequest(person);
  await site.reauthenticate.open('/settings/apm-integration');
  await expect(site.page.getByRole('main')).toContainText(person.username);
  await site.reauthenticate.submit('not this one');
  await expect(site.reauthenticate.complaint).toContainText('wrong');
  await expect(site.reauthenticate.password).toHaveValue('');
  await site.ready();
  await site.reauthenticate.submit(person.password);
  await expect(site.page).toHaveURL(/\/settings\/apm-integration$/);
  await site.ready();
  // It is still the same session, and still signed in.
  await site.sessions.open();
  await expect(site.sessions.own).toHaveCount(1);
});
