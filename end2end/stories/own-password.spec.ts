import { basic } from '../fixtures/engine';
import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

const NEXT = 'another horse battery';

test('a user changes the own password and stays signed in here alone', { tag: '@no-script' }, async ({ app, site }) => {
  const person = await operator(app);
  const other = await site.otherBrowser();
  await other.signIn(person);
  await site.signIn(person);
  await site.ownPassword.openFromMenu();
  await site.ownPassword.submit(person.password, NEXT);
  await expect(site.heading('Your sessions')).toBeVisible();
  await expect(site.page.getByText('Changed your password.')).toBeVisible();
  await site.ready();
  await expect(site.sessions.own).toHaveCount(1);
  await site.agentKeys.open();
  await other.page.reload();
  await expect(other.page).toHaveURL(/\/login/);
  await other.close();
  const status = async (password: string) =>
    (await app.engine.call('GET', '/_security/_authenticate', undefined, basic(person.username, password))).status;
  expect(await status(NEXT)).toBe(200);
  expect(await status(person.password)).toBe(401);
});

test('errors of the own password are at their fields', { tag: '@no-script' }, async ({ app, site }) => {
  await site.signIn(await operator(app));
  await site.ownPassword.openFromMenu();
  await site.ownPassword.submit('not this one', NEXT);
  await expect(site.ownPassword.current).toHaveAttribute('aria-invalid', 'true');
  await expect(site.ownPassword.current).toHaveAccessibleDescription(/The password is wrong/);
  await expect(site.ownPassword.current).toBeFocused();
  await site.ready();
  await site.ownPassword.submit('not this one', 'short', 'other');
  await expect(site.ownPassword.new).toHaveAccessibleDescription(/at least 15 characters/i);
  await expect(site.ownPassword.new).toHaveAttribute('aria-invalid', 'true');
  await expect(site.ownPassword.repeated).toHaveAccessibleDescription('This is not the same as the new password.');
});
