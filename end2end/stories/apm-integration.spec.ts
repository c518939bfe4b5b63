import { elastic } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

test('settings are kept, feed the fragment, and warn of unencrypted', { tag: ['@firefox', '@no-script', '@base-path'] }, async ({ app, site }) => {
  await site.signInByRequest(elastic(app));
  await site.integration.open();
  await site.integration.serverUrl.fill('http://apm.example.com:8200');
  await site.integration.enabled.check();
  await site.integration.limit.fill('170');
  await site.integration.save();

  await site.integration.open();
  await expect(site.integration.serverUrl).toHaveValue('http://apm.example.com:8200');
  await expect(site.integration.enabled).toBeChecked();
  await expect(site.integration.limit).toHaveValue('170');
  await expect(site.integration.fragment).toContainText('limit: 170');
  // In embedded mode APM Server has to be told where keys are checked.
  await expect(site.integration.fragment).toContainText(app.engineUrl);
  await expect(site.page.getByRole('main')).toContainText('unencrypted');
});

test('an address that cannot be used is answered at the field and kept', async ({ app, site }) => {
  const url = 'apm.example.com:8200';
  await site.signInByRequest(elastic(app));
  await site.integration.open();
  await site.integration.serverUrl.fill(url);
  await site.page.getByRole('button', { name: 'Save' }).click();
  await expect(site.integration.serverUrl).toHaveAttribute('aria-invalid', 'true');
  await expect(site.integration.serverUrl).toHaveAccessibleDescription(/Begin with https:\/\/ or http:\/\/\./);
  await expect(site.integration.serverUrl).toHaveValue(url);
});

test('the key that would exceed the limit is warned of before it is made', async ({ untouchedApp, siteOf }) => {
  const site = siteOf(untouchedApp);
  await untouchedApp.engine.createAgentKeys(['one', 'two', 'three']);
  await site.signInByRequest(elastic(untouchedApp));
  await site.newKey.open();
  // The control: with room to spare there is nothing to warn of.
  await expect(site.newKey.dialog).not.toContainText('keys will be active');
  await site.integration.open();
  await site.integration.enabled.check();
  await site.integration.limit.fill('3');
  await site.integration.save();
  await expect(site.page.getByRole('main')).toContainText('3 of 3');
  await site.newKey.open();
  await expect(site.newKey.dialog).toContainText('4 keys will be active, the limit is 3.');
});
