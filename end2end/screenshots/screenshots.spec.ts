import { join } from 'node:path';
import { SCREENS } from '../fixtures/screens';
import { test } from '../fixtures/screen-fixture';

const FOLDER = join(__dirname, '../test-results/screenshots');

for (const screen of SCREENS) {
  test(screen.name, async ({ site, screenFixture, watch }) => {
    if (screen.outage === true) watch.pardon(/503/);
    await screenFixture.set(screen, site);
    const name = screen.name.replace(/[^a-z]+/gi, '-').toLowerCase();
    for (const colorScheme of ['light', 'dark'] as const) {
      await site.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const width of [1440, 390]) {
        await site.page.setViewportSize({ width, height: 900 });
        await site.page.screenshot({
          path: join(FOLDER, `${name}-${width}-${colorScheme}.png`),
          fullPage: true,
          animations: 'disabled',
        });
      }
    }
  });
}
