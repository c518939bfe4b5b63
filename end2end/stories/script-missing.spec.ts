import { operator } from '../fixtures/people';
import { expect, test } from '../fixtures/story';
import { Site } from '../pages/site';

for (const { missing, files } of [
  { missing: 'the script', files: '**/*.wasm' },
  { missing: 'a page’s own part of the script', files: '**/split_*.wasm' },
]) {
  test(`where ${missing} never arrives, every form still works`, async ({ app, page, watch }) => {
    watch.pardon(/script|fetch|wasm/i);
    let held = 0;
    await page.route(files, (route) => {
      held += 1;
      return route.abort();
    });

    // A browser that runs scripts, told as the story of one that does not.
    const site = new Site(page, app.url, false);
    await site.signIn(await operator(app));
    await site.newKey.create({ name: 'made without the script' });
    expect(await site.created('made without the script').secret()).toMatch(/^[A-Za-z0-9+/]{50,}={0,2}$/);
    await site.created('made without the script').finish();
    await site.agentKeys.startRevoking('made without the script');
    await site.revoke('made without the script').confirm();
    await expect(site.agentKeys.row('made without the script')).toContainText('Revoked');
    expect(held, 'the control: there was a script to hold back').toBeGreaterThan(0);
  });
}
