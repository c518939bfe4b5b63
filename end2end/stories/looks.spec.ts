import type { Page } from '@playwright/test';
import { elastic } from '../fixtures/people';
import { SCREENS } from '../fixtures/screens';
import { expect, test } from '../fixtures/screen-fixture';

/** A desk, a small window and a phone. */
const WIDTHS = [1440, 1024, 390];

/** How far the page can be pushed sideways, and by what. */
function overflow(page: Page): Promise<{ px: number; culprits: string[] }> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const culprits = [...document.body.querySelectorAll('*')]
      .filter((element) => element.getBoundingClientRect().right > clientWidth + 1)
      .map((element) => `${element.tagName}.${element.className}`);
    return { px: scrollWidth - clientWidth, culprits: scrollWidth > clientWidth ? culprits.slice(0, 8) : [] };
  });
}

for (const screen of SCREENS) {
  // Without a script, only what follows a form looks different.
  const tag = screen.differsWithoutScript === true ? '@no-script' : [];
  test(`${screen.name}: nothing overflows sideways, and axe, where scripts run, finds nothing`, { tag }, async ({
    expectAccessible,
    site,
    screenFixture,
    watch,
  }) => {
    if (screen.outage === true) watch.pardon(/503/);
    await screenFixture.set(screen, site);
    for (const width of WIDTHS) {
      await site.page.setViewportSize({ width, height: 900 });
      expect(await overflow(site.page), `at ${width} pixels`).toEqual({ px: 0, culprits: [] });
    }
    // At the desk, where most is visible. Of axe's rules, only the one about contrast depends on the theme.
    await site.page.setViewportSize({ width: 1440, height: 900 });
    await test.step('dark', async () => {
      await site.page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
      await expectAccessible(['color-contrast']);
    });
    await test.step('light', async () => {
      await site.page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
      await expectAccessible();
    });
  });
}

/** Of the background, from 0 to 255. */
function brightness(page: Page): Promise<number> {
  return page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d')!;
    // The body may let the root's colour through.
    for (const element of [document.documentElement, document.body]) {
      canvas.fillStyle = getComputedStyle(element).backgroundColor;
      canvas.fillRect(0, 0, 1, 1);
    }
    const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
    return (red! + green! + blue!) / 3;
  });
}

test('light is light and dark is dark', async ({ site }) => {
  await site.visit('/login');
  await site.page.emulateMedia({ colorScheme: 'light' });
  await expect.poll(() => brightness(site.page)).toBeGreaterThan(200);
  await site.page.emulateMedia({ colorScheme: 'dark' });
  await expect.poll(() => brightness(site.page)).toBeLessThan(60);
});

test('the theme that a user chooses stays', { tag: '@firefox' }, async ({ app, site }) => {
  await site.signInByRequest(elastic(app));
  await site.agentKeys.open();
  for (const [theme, isIt] of [
    ['Dark', (light: number) => light < 60],
    ['Light', (light: number) => light > 200],
  ] as const) {
    await site.userMenu.click();
    await site.page.getByRole('button', { name: `${theme} theme` }).click();
    await expect(site.page.locator(`html[data-theme="${theme.toLowerCase()}"]`)).toBeAttached();
    await site.ready();
    await expect.poll(async () => isIt(await brightness(site.page)), { message: theme }).toBe(true);
    await site.users.open();
    expect(isIt(await brightness(site.page)), theme).toBe(true);
  }
});

test('on a phone, the navigation reaches every page, and each fits', { tag: '@firefox' }, async ({ app, expectAccessible, site }) => {
  await site.page.setViewportSize({ width: 390, height: 844 });
  await site.signIn(elastic(app));
  for (const name of ['APM integration', 'Users and roles', 'Audit log', 'Agent keys']) {
    await site.page.getByRole('button', { name: 'Menu', exact: true }).click();
    await site.page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name }).click();
    await expect(site.heading(name)).toBeVisible();
    await site.ready();
    expect(await overflow(site.page), name).toEqual({ px: 0, culprits: [] });
    await expectAccessible();
  }
});

test.describe('the controls', () => {
  test('a box that is too wide is found', async ({ site }) => {
    await site.visit('/login');
    expect((await overflow(site.page)).px).toBe(0);
    await site.page.evaluate(() => {
      const wide = document.createElement('div');
      wide.className = 'too-wide';
      wide.innerHTML = '&nbsp;';
      // Through the object model, which a strict style policy permits.
      wide.style.width = '3000px';
      document.body.append(wide);
    });
    const found = await overflow(site.page);
    expect(found.px).toBeGreaterThan(0);
    expect(found.culprits).toContain('DIV.too-wide');
  });

  test('a field without a label is found', async ({ expectAccessible, site }) => {
    await site.visit('/login');
    await expectAccessible();
    await site.page.evaluate(() => document.querySelectorAll('label').forEach((label) => label.remove()));
    await expect(expectAccessible()).rejects.toThrow(/label/);
  });
});
