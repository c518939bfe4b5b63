import type { Page } from '@playwright/test';
import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';
import { AS_SEEN, MASK } from '../pages/created';

test.beforeEach(async ({ app, browserName, context, site }) => {
  if (browserName === 'chromium') {
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(app.url).origin });
  }
  await site.signInByRequest(await operator(app));
});

test('Copy copies the secret in the form that is chosen, and says so', { tag: '@firefox' }, async ({ site }) => {
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

test('a snippet is masked on the screen and real on the clipboard', async ({ site }) => {
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

test('a snippet as shown is the snippet as copied', async ({ site }) => {
  await site.newKey.create({ name: 'same', service: 'checkout' });
  const created = site.created('same');
  await created.secret();
  for (const agent of ['Java', 'Rails', 'Kubernetes', '.env']) {
    await created.chooseAgent(agent);
    const snippet = created.snippet(`${agent} set-up`);
    await snippet.getByRole('button', { name: /^Cop/ }).click();
    const shown = await snippet.getByRole('group').innerText();
    await expect
      .poll(() => site.page.evaluate(() => navigator.clipboard.readText()), { message: agent })
      .toBe(shown.endsWith('\n') ? shown : `${shown}\n`);
  }
});

/** As on a page over plain HTTP from another machine. */
function withoutClipboard(page: Page): Promise<void> {
  return page.evaluate(() => {
    Object.assign(window, { clipboard: navigator.clipboard });
    Object.defineProperty(navigator, 'clipboard', { value: undefined });
  });
}

test('without the clipboard of secure pages, Copy copies all the same', { tag: '@firefox' }, async ({ site }) => {
  await site.newKey.create({ name: 'plain' });
  const created = site.created('plain');
  await withoutClipboard(site.page);
  await created.copy.click();
  await expect(created.copied).toBeVisible();
  const copied = await site.page.evaluate(() =>
    (window as unknown as { clipboard: Clipboard }).clipboard.readText(),
  );
  expect(copied).toBe(await created.secret());
});

test('where the browser refuses to copy, the text is revealed, selected, and the page says so', async ({ site }) => {
  await site.newKey.create({ name: 'refused' });
  const created = site.created('refused');
  await withoutClipboard(site.page);
  await site.page.evaluate(() => Object.assign(document, { execCommand: () => false }));
  await created.copy.click();
  await expect(created.dialog).toContainText('Press Ctrl+C to copy');
  await expect(created.shown).not.toContainText(MASK, AS_SEEN);
  const selected = await site.page.evaluate(() => getSelection()?.toString().trim());
  expect(selected).toBe(await created.secret());
});
