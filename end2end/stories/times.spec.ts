import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

/** Nine hours before UTC, without summer time. */
test.use({ timezoneId: 'Asia/Tokyo' });

const DAY_MS = 24 * 60 * 60 * 1000;

/** The day after tomorrow in Tokyo, as a date field takes it. */
function chosenDay(): string {
  return new Date(Date.now() + 9 * 60 * 60 * 1000 + 2 * DAY_MS).toISOString().slice(0, 10);
}

test('a custom expiry is the end of the chosen day where the user is', { tag: '@no-script' }, async ({ app, javaScript, site }) => {
  await site.signInByRequest(await operator(app));
  await site.newKey.open();
  await site.newKey.fill({ name: 'until-friday' });
  await site.newKey.dialog.getByRole('radio', { name: 'Custom' }).locator('xpath=ancestor::label').click();
  const day = chosenDay();
  await site.newKey.dialog.getByLabel('Expiry date').fill(day);
  await expect(site.newKey.dialog).toContainText(javaScript ? '23:59:59' : 'end of that day in UTC', {
    useInnerText: true,
  });
  await site.newKey.submit.click();
  await expect(site.created('until-friday').dialog).toBeVisible();

  const { api_keys } = await app.engine.expect<{ api_keys: { expiration: number }[] }>(
    'POST',
    '/_security/_query/api_key',
    { query: { term: { name: 'until-friday' } } },
  );
  const end = Date.parse(`${day}T23:59:59${javaScript ? '+09:00' : 'Z'}`);
  expect(Math.abs(api_keys[0]!.expiration - end)).toBeLessThan(5_000);
});

test('times are local with script, with UTC in the tooltip', { tag: ['@firefox', '@no-script'] }, async ({ app, javaScript, site }) => {
  const person = await operator(app);
  await site.signInByRequest(person);
  await site.newKey.create({ name: 'local' });
  const expires = site.created('local').dialog.getByRole('time');
  const at = new Date((await expires.getAttribute('datetime')) ?? '');
  const minute = (timeZone: string): string =>
    new Intl.DateTimeFormat('en-GB', {
      day: 'numeric',
      month: 'short',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      timeZone,
    }).format(at);
  await expect(expires).toHaveText(javaScript ? minute('Asia/Tokyo') : `${minute('UTC')} UTC`);
  if (javaScript) {
    await expect(expires).toHaveAttribute('title', /Asia\/Tokyo · .* UTC$/);
  }
});

test('a relative time moves on by itself', async ({ app, site }) => {
  await site.signInByRequest(await operator(app));
  await site.page.clock.install();
  await site.newKey.create({ name: 'ageing' });
  await site.created('ageing').finish();
  const created = site.agentKeys.row('ageing').getByRole('cell', { name: /ago|just now/ });
  await expect(created).toContainText('just now');
  await site.page.clock.fastForward('12:00');
  await expect(created).toContainText('12 minutes ago');
});
