import { join } from 'node:path';
import { SCENES } from '../fixtures/scenes';
import { test } from '../fixtures/stage';

const FOLDER = join(__dirname, '../test-results/screenshots');

for (const scene of SCENES) {
  test(scene.name, async ({ site, stage }) => {
    await stage.set(scene, site);
    const name = scene.name.replace(/[^a-z]+/gi, '-').toLowerCase();
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
