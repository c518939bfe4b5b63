import { elastic } from '../fixtures/people';
import { expect, test } from '../fixtures/story';

test('from the first start to a key: role, user, sign in, create', { tag: ['@firefox', '@no-script'] }, async ({ untouchedApp, siteOf }) => {
  const site = siteOf(untouchedApp);
  const somebody = { username: 'd.whitfield', password: 'correct horse battery' };

  await test.step('elastic signs in and finds no key', async () => {
    await site.signIn(elastic(untouchedApp));
    await expect(site.page.getByRole('heading', { name: 'Create your first agent key' })).toBeVisible();
    await expect(site.page.getByRole('listitem').filter({ hasText: 'Create the role' })).toContainText('To do');
  });

  await test.step('elastic creates the role in one click', async () => {
    await site.users.open();
    await expect(site.users.role).toContainText('Does not exist');
    await site.users.role.getByRole('button', { name: 'Create role' }).click();
    await expect(site.users.role).toContainText('As documented');
    const { body } = await untouchedApp.engine.call<Record<string, { cluster: string[]; applications: unknown[] }>>(
      'GET',
      '/_security/role/apm_agent_key_role',
    );
    expect(body['apm_agent_key_role']).toMatchObject({
      cluster: ['manage_own_api_key'],
      applications: [
        { application: 'apm', privileges: expect.arrayContaining(['event:write', 'config_agent:read']), resources: ['*'] },
        { application: 'kibana-.kibana', privileges: ['feature_apm.all'], resources: ['space:default'] },
      ],
    });
  });

  await test.step('elastic creates a user who has it', async () => {
    await site.ready();
    await site.users.create(somebody, { agentKeyRole: true });
    await expect(site.users.row(somebody.username)).toContainText('apm_agent_key_role');
    await site.signOut();
  });

  await test.step('that user signs in and creates a key', async () => {
    await site.signIn(somebody);
    await site.agentKeys.create.click();
    await expect(site.newKey.dialog).toBeVisible();
    await site.ready();
    await site.newKey.fill({ name: 'checkout-prod' });
    await site.newKey.submit.click();
    const created = site.created('checkout-prod');
    await expect(created.dialog).toBeVisible();
    await site.ready();
    await created.finish();
    await expect(site.agentKeys.row('checkout-prod')).toContainText('Active');
    await expect(site.agentKeys.row('checkout-prod')).toContainText(somebody.username);
  });
});
