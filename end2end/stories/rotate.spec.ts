import { basic } from '../fixtures/engine';
import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

const HOUR_MS = 3_600_000;

test('a rotated key ends after the overlap, and its page undoes that', { tag: ['@firefox', '@no-script'] }, async ({ app, site }) => {
  const person = await operator(app);
  const owner = basic(person.username, person.password);
  const old = await app.engine.createAgentKey('to be rotated', ['event:write'], { owner, expiration: '90d' });
  const expiration = async () => {
    const { body } = await app.engine.call<{ api_keys: { expiration: number }[] }>(
      'GET',
      `/_security/api_key?id=${old.id}`,
    );
    return body.api_keys[0]!.expiration;
  };
  const former = await expiration();
  await site.signInByRequest(person);
  const rotate = site.rotate(old.name);
  await rotate.open(old.id);
  await expect(rotate.newName).toHaveValue('to be rotated-2');
  await expect(rotate.end('In 24 hours')).toBeChecked();
  await rotate.submit.click();

  const created = site.created('to be rotated-2');
  await expect(created.dialog).toContainText('The old key is to be rotated');
  const encoded = await created.secret();
  const who = await app.engine.call('GET', '/_security/_authenticate', undefined, `ApiKey ${encoded}`);
  expect(who.status).toBe(200);
  await created.finish();
  await expect.poll(expiration).toBeLessThan(Date.now() + 25 * HOUR_MS);

  await site.visit(`/settings/agent-keys/${old.id}`);
  const main = site.page.getByRole('main');
  await expect(main.getByRole('link', { name: 'to be rotated-2' })).toBeVisible();
  await expect(main).toContainText('The old key ends by itself');
  await site.ready();
  await main.getByRole('button', { name: 'Undo the end of this key' }).click();
  await expect(main).toContainText('The end of this key is as before');
  await expect(main).toContainText('The end of the old key was undone.');
  expect(Math.abs((await expiration()) - former)).toBeLessThan(2_000);
});

test('an end in the past is refused at its field, and what was typed is kept', { tag: '@no-script' }, async ({ app, site }) => {
  const person = await operator(app);
  const old = await app.engine.createAgentKey('with a wrong end', ['event:write'], {
    owner: basic(person.username, person.password),
  });
  await site.signInByRequest(person);
  const rotate = site.rotate(old.name);
  await rotate.open(old.id);
  await rotate.newName.fill('a name of its own');
  await rotate.end('At another time').check();
  await rotate.moment.fill('2020-01-01T09:30');
  await rotate.submit.click();
  await expect(rotate.dialog).toContainText('Choose a time in the future.');
  await expect(rotate.newName).toHaveValue('a name of its own');
  await expect(rotate.moment).toHaveValue('2020-01-01T09:30');
});

test('a chosen time is that of the browser', { tag: '@script' }, async ({ app, site }) => {
  const person = await operator(app);
  const owner = basic(person.username, person.password);
  const old = await app.engine.createAgentKey('in local time', ['event:write'], { owner });
  await site.signInByRequest(person);
  const rotate = site.rotate(old.name);
  await rotate.open(old.id);
  await rotate.end('At another time').check();
  const local = await site.page.evaluate(() => {
    const end = new Date(Date.now() + 48 * 3_600_000);
    end.setSeconds(0, 0);
    const two = (part: number) => String(part).padStart(2, '0');
    const date = `${end.getFullYear()}-${two(end.getMonth() + 1)}-${two(end.getDate())}`;
    return { typed: `${date}T${two(end.getHours())}:${two(end.getMinutes())}`, ms: end.getTime() };
  });
  await rotate.moment.fill(local.typed);
  await rotate.submit.click();
  await site.created('in local time-2').finish();
  const expiration = async () => {
    const { body } = await app.engine.call<{ api_keys: { expiration?: number }[] }>(
      'GET',
      `/_security/api_key?id=${old.id}`,
    );
    return body.api_keys[0]!.expiration ?? Infinity;
  };
  // Elasticsearch counts in whole seconds.
  await expect.poll(async () => Math.abs((await expiration()) - local.ms)).toBeLessThan(2_000);
});
