import { stranger, viewer } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

test('a viewer is refused with the reason and the way out', async ({ app, site }) => {
  const person = await viewer(app);
  await site.signIn(person);
  const main = site.page.getByRole('main');
  await expect(main).toContainText('permission');
  await expect(main).toContainText(person.username);
  await expect(main).toContainText('manage_own_api_key');
  await expect(main).toContainText('event:write');
  await expect(main).toContainText('config_agent:read');
  await expect(site.agentKeys.create).toHaveCount(0);
});

test('going to the form by its address does not help a viewer', async ({ app, site }) => {
  await site.signInByRequest(await viewer(app));
  await site.visit('/settings/agent-keys/new');
  await expect(site.page.getByRole('dialog')).toContainText('manage_own_api_key');
  await expect(site.newKey.submit).toHaveCount(0);
});

test('who manages no users sees the request to hand to an administrator', async ({ app, site }) => {
  await site.signInByRequest(await viewer(app));
  await site.users.open();
  await expect(site.page.getByRole('button', { name: 'Create role' })).toHaveCount(0);
  await expect(site.page.getByRole('main')).toContainText('PUT /_security/role/apm_agent_key_role');
});

test('somebody without any role can sign in, and is told what is missing', async ({ app, site }) => {
  await site.signIn(await stranger(app));
  await expect(site.page.getByRole('main')).toContainText('permission');
});

test('a privilege that is lost after the page was opened is named, and the form kept', async ({ app, site, watch }) => {
  const person = { username: `demoted.${process.pid}`, password: 'correct horse' };
  await app.engine.putRole('writer_only_for_now', {
    cluster: ['manage_own_api_key'],
    applications: [
      { application: 'apm', privileges: ['event:write', 'config_agent:read'], resources: ['*'] },
      { application: 'kibana-.kibana', privileges: ['feature_apm.all'], resources: ['space:default'] },
    ],
  });
  await app.engine.putUser(person.username, person.password, ['writer_only_for_now']);
  await site.signInByRequest(person);
  await site.newKey.open();
  await site.newKey.fill({ name: 'too late' });
  await app.engine.putRole('writer_only_for_now', {
    cluster: ['manage_own_api_key'],
    applications: [
      { application: 'apm', privileges: ['event:write'], resources: ['*'] },
      { application: 'kibana-.kibana', privileges: ['feature_apm.all'], resources: ['space:default'] },
    ],
  });
  watch.pardon(/403/);
  await site.newKey.submit.click();
  await expect(site.newKey.complaint).toContainText('config_agent:read');
  await expect(site.newKey.name).toHaveValue('too late');
});
