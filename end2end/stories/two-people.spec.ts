import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

test('signing out from the page of one person does not sign out another', async ({ app, site }) => {
  const [ada, ben] = [await operator(app), await operator(app)];
  await site.signIn(ada);
  const second = await site.otherTab();
  await second.agentKeys.open();
  await second.signOut();
  await second.signIn(ben);

  const signOut = site.page.getByRole('button', { name: 'Sign out' });
  await signOut.click();
  await expect(site.page.getByRole('alert').filter({ hasText: `signed in as ${ben.username}` })).toBeVisible();
  await second.reload();
  await expect(second.userMenu).toContainText(ben.username);
});

test('a session that ended meanwhile does not cost what was typed', async ({ app, site }) => {
  const ada = await operator(app);
  await site.signIn(ada);
  await site.newKey.open();
  await site.newKey.fill({ name: 'typed before', service: 'checkout' });

  const second = await site.otherTab();
  await second.agentKeys.open();
  await second.signOut();

  await site.newKey.submit.click();
  await expect(site.heading('Sign in to Agent Keys')).toBeVisible();
  await site.signInPage.submit(ada);
  await expect(site.newKey.complaint).toContainText('You are signed in again');
  await expect(site.newKey.name).toHaveValue('typed before');
  await expect(site.newKey.service).toHaveValue('checkout');
  await site.newKey.submit.click();
  await expect(site.created('typed before').dialog).toBeVisible();
});
test('a form of one person is not sent as another who signed in in a second tab', async ({ app, site }) => {
  const [ada, ben] = [await operator(app), await operator(app)];
  await site.signIn(ada);
  await site.newKey.open();
  await site.newKey.fill({ name: 'typed by the first' });

  const second = await site.otherTab();
  await second.agentKeys.open();
  await second.signOut();
  await second.signIn(ben);

  await site.newKey.submit.click();
  await expect(site.newKey.complaint).toContainText(`You are now signed in as ${ben.username}`);
  await expect(site.newKey.name).toHaveValue('typed by the first');
  // The page is the second person's from now on.
  await expect(site.userMenu).toContainText(ben.username);
  await second.agentKeys.open();
  await expect(second.page.getByRole('main')).not.toContainText('typed by the first');

  // Sent again, knowingly, it is theirs.
  await site.newKey.submit.click();
  await expect(site.created('typed by the first').dialog).toBeVisible();
});

