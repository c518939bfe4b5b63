import { join } from 'node:path';
import { GO_MISSING, GO_PROGRAMS } from '../agents/go';
import { runWithFiles } from '../agents/process';
import { expect, test } from '../fixtures/app';
import { STATIONS } from './stations';

/** Elastic's own client for Go, unchanged, against the engine. */
for (const major of ['9', '8']) {
  for (const compress of [false, true]) {
    test(`Go client ${major}, with ${compress ? 'compressed' : 'plain'} bodies`, async ({ app }) => {
      test.skip(GO_MISSING !== undefined, GO_MISSING);
      const walk = await runWithFiles({}, [join(GO_PROGRAMS, `walk-${major}`)], {
        ENGINE_URL: app.engineUrl,
        ELASTIC_PASSWORD: app.elasticPassword,
        COMPRESS: String(compress),
      });
      expect(walk.status, walk.output).toBe(0);
      expect(walk.output.trim().split('\n')).toEqual(STATIONS);
    });
  }
}
