import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';
import { AS_SEEN, MASK } from '../pages/created';

/** Copying needs a script. */
const TAG = { tag: '@script' };

test.beforeEach(async ({ app, context, site }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(app.url).origin });
  await site.signInByRequest(await operator(app));
});

test('Copy copies the secret in the form that is chosen, and says so', TAG, async ({ site }) => {
  await site.newKey.create({ name: 'copied' });
  const created = site.created('copied');
  const clipboard = (): Promise<string> => site.page.evaluate(() => navigator.clipboard.readText());

  // Without “Show” first: a secret can be stored without ever being on a screen.
  await created.copy.click();
  await expect(created.copied).toBeVisible();
  await expect(created.shown).toContainText(MASK, AS_SEEN);
  const encoded = await clipboard();
  expect(Buffer.from(encoded, 'base64').toString('utf8')).toMatch(/^[\w-]{20}:[\w-]{22,64}$/);

  expect(await created.secret()).toBe(encoded);
  await created.choose('id:key');
  await created.copied.click();
  await expect.poll(clipboard).toBe(Buffer.from(encoded, 'base64').toString('utf8'));
});

test('a snippet is masked on the screen and real on the clipboard', TAG, async ({ site }) => {
  await site.newKey.create({ name: 'snippet', service: 'checkout' });
  const created = site.created('snippet');
  await created.chooseAgent('Node.js');
  const snippet = created.snippet('Node.js set-up');
  await expect(snippet).toContainText(MASK, AS_SEEN);
  await snippet.getByRole('button', { name: /^Copy/ }).click();
  await expect
    .poll(() => site.page.evaluate(() => navigator.clipboard.readText()))
    .toMatch(/apiKey: '[A-Za-z0-9+/]{50,}={0,2}'/);
});

test('where the browser refuses to copy, the page says so', TAG, async ({ context, site }) => {
  await context.clearPermissions();
  await site.newKey.create({ name: 'refused' });
  await site.page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
  });
  await site.created('refused').copy.click();
  await expect(site.created('refused').dialog).toContainText('Select and copy by hand');
});
