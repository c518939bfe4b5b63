import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';
import { AS_SEEN } from '../pages/created';
import type { Site } from '../pages/site';

/** Both halves of what must not be seen again. */
interface Secret {
  encoded: string;
  half: string;
}

async function createAndRead(site: Site, name: string): Promise<Secret> {
  await site.newKey.create({ name });
  const encoded = await site.created(name).secret();
  const half = Buffer.from(encoded, 'base64').toString('utf8').split(':')[1]!;
  // The control for every “is gone” below: here it was found.
  expect(await traces(site)).toContain(encoded);
  return { encoded, half };
}

/** Everything the browser still holds of a page: document, storage, history, cookies. */
async function traces(site: Site): Promise<string> {
  const held = await site.page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state, document.title]),
  );
  const cookies = JSON.stringify(await site.page.context().cookies());
  return [await site.page.content(), site.page.url(), held, cookies].join('\n');
}

async function expectGone(site: Site, { encoded, half }: Secret): Promise<void> {
  const left = await traces(site);
  expect(left).not.toContain(encoded);
  expect(left).not.toContain(half);
}

test.beforeEach(async ({ app, site }) => site.signInByRequest(await operator(app)));

test('the secret opens the engine, in each of the three forms', { tag: '@no-script' }, async ({ app, site }) => {
  await site.newKey.create({ name: 'three forms' });
  const created = site.created('three forms');
  const encoded = await created.secret();
  await created.choose('id:key');
  const pair = await created.secret();
  await created.choose('Authorization header');
  const header = await created.secret();

  expect(Buffer.from(encoded, 'base64').toString('utf8')).toBe(pair);
  expect(header.replace(/^Authorization: /, '')).toBe(`ApiKey ${encoded}`);
  const who = await app.engine.call<{ authentication_type: string; api_key: { name: string } }>(
    'GET',
    '/_security/_authenticate',
    undefined,
    `ApiKey ${encoded}`,
  );
  expect(who.body).toMatchObject({ authentication_type: 'api_key', api_key: { name: 'three forms' } });
});

test('after Done the secret is gone', { tag: ['@no-script', '@base-path'] }, async ({ site }) => {
  const secret = await createAndRead(site, 'done');
  const created = site.created('done');
  // Done waits for the person to say that the key is stored.
  await created.done.click();
  await expect(created.dialog).toBeVisible();
  await created.finish();
  await expect(site.agentKeys.row('done')).toHaveCount(1);
  await expectGone(site, secret);
});

test('after Back the secret is gone, and forward does not bring it', { tag: ['@firefox', '@no-script'] }, async ({ site }) => {
  const secret = await createAndRead(site, 'back');
  await site.created('back').finish();
  if ((await site.goBack()) === 'shown') await expectGone(site, secret);
  // The browser may still be on its way to its own page, which has no content until then.
  else await expect(async () => expect(await site.page.content()).not.toContain(secret.encoded)).toPass();
  await site.page.goForward();
  await site.ready();
  await expectGone(site, secret);
});

test('after a reload the secret is gone', async ({ site }) => {
  const secret = await createAndRead(site, 'reload');
  // By address: reloading the answer to a form would ask to send it again.
  await site.page.goto(site.page.url());
  await site.ready();
  await expectGone(site, secret);
});

test('sending the form again does not show it again or make a second key', { tag: '@no-script' }, async ({ site }) => {
  const secret = await createAndRead(site, 'sent again');
  await site.page.reload();
  await site.ready();
  await expectGone(site, secret);
  await site.agentKeys.open();
  await expect(site.agentKeys.row('sent again')).toHaveCount(1);
});

test('another tab does not show it', async ({ site }) => {
  const secret = await createAndRead(site, 'other tab');
  const other = await site.otherTab();
  await other.visit(site.path);
  await expectGone(other, secret);
  await other.agentKeys.open();
  await expectGone(other, secret);
  await other.page.getByRole('link', { name: 'other tab', exact: true }).click();
  await expect(other.heading(/other tab/)).toBeVisible();
  await expectGone(other, secret);
});

test('reloading before the key is stored asks first', async ({ site }) => {
  await site.newKey.create({ name: 'asked' });
  const created = site.created('asked');
  const questions: string[] = [];
  site.page.on('dialog', async (dialog) => {
    questions.push(dialog.type());
    await dialog.dismiss();
  });
  await site.page.reload({ timeout: 2_000 }).catch(() => undefined);
  expect(questions).toEqual(['beforeunload']);
  await expect(created.dialog).toBeVisible();
  // The control: once it is stored, nothing asks.
  await created.finish();
  expect(questions).toEqual(['beforeunload']);
});

test('a stored key does not ask, and its row is marked once', async ({ site }) => {
  await site.newKey.create({ name: 'stored' });
  const questions: string[] = [];
  site.page.on('dialog', async (dialog) => {
    questions.push(dialog.type());
    await dialog.accept();
  });
  await site.created('stored').finish();
  expect(questions).toEqual([]);
  await expect(site.agentKeys.row('stored')).toContainText('New');
  await site.agentKeys.open();
  await expect(site.agentKeys.row('stored')).not.toContainText('New');
});

test('the form that a reload shows names the key whose secret is gone', async ({ site }) => {
  await createAndRead(site, 'gone');
  await site.page.goto(site.page.url());
  await site.ready();
  await expect(site.newKey.dialog).toContainText('You created gone a moment ago');
  await expect(site.newKey.name).toHaveValue('gone');
  await site.newKey.dialog.getByRole('link', { name: 'Revoke this key' }).click();
  await expect(site.revoke('gone').dialog).toBeVisible();
});

/** Answers the questions of the browser one after the other, and returns their kinds. */
function answerQuestions(site: Site, answers: ('stay' | 'leave')[]): string[] {
  const kinds: string[] = [];
  site.page.on('dialog', async (dialog) => {
    const answer = answers[kinds.length];
    kinds.push(dialog.type());
    await (answer === 'leave' ? dialog.accept() : dialog.dismiss());
  });
  return kinds;
}

async function openFromList(site: Site, name: string): Promise<void> {
  await site.agentKeys.open('?sort=name');
  await site.agentKeys.create.click();
  await site.newKey.fill({ name });
  await site.newKey.submit.click();
  await expect(site.created(name).dialog).toBeVisible();
}

const back = (site: Site) => site.page.evaluate(() => history.back());

test('going back before the key is stored asks first @script', async ({ site }) => {
  const questions = answerQuestions(site, ['stay', 'stay', 'leave']);
  await openFromList(site, 'kept by Back');
  const created = site.created('kept by Back');
  const encoded = await created.secret();
  for (const count of [1, 2]) {
    await back(site);
    await expect.poll(() => questions).toHaveLength(count);
    await expect(created.shown).toContainText(encoded, AS_SEEN);
  }
  await back(site);
  await expect(created.dialog).toBeHidden();
  await expect(site.page).toHaveURL(/agent-keys\?sort=name$/);
  // The list has told of the key, so the form does not.
  await expect(site.agentKeys.row('kept by Back')).toContainText('New');
  expect(questions).toEqual(['confirm', 'confirm', 'confirm']);
  expect(await traces(site)).not.toContain(encoded);
  await site.page.goForward();
  await expect(site.newKey.name).toHaveValue('');
  expect(await traces(site)).not.toContain(encoded);
});

test('going back after the key is copied leads to the list at once @script', async ({ site }) => {
  const questions = answerQuestions(site, []);
  await openFromList(site, 'copied');
  await site.page.context().grantPermissions(['clipboard-write']);
  await site.created('copied').copy.click();
  await expect(site.created('copied').copied).toBeVisible();
  await back(site);
  await expect(site.page).toHaveURL(/agent-keys\?sort=name$/);
  await expect(site.created('copied').dialog).toBeHidden();
  expect(questions).toEqual([]);
});

test('Done leaves one page of the form in the history @script', async ({ site }) => {
  await openFromList(site, 'one entry');
  await site.created('one entry').finish();
  await expect(site.page).toHaveURL(/agent-keys$/);
  await site.goBack();
  await expect(site.newKey.dialog).toBeVisible();
  await site.goBack();
  await expect(site.page).toHaveURL(/agent-keys\?sort=name$/);
  await expect(site.newKey.dialog).toBeHidden();
});
