import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runWithFiles } from '../agents/process';
import { PYTHON } from '../agents/python';
import { expect, test } from '../fixtures/app';
import { STATIONS } from './stations';

const FOLDER = join(__dirname, 'python');

/**
 * Elastic's own client for Python, unchanged, against the engine. Both majors
 * call themselves `elasticsearch`, so set-up installs each into a folder of its
 * own, by the requirements that stand beside the walk.
 */
for (const major of ['9', '8']) {
  test(`Python client ${major}`, async ({ app }) => {
    const walk = await runWithFiles(
      { 'walk.py': readFileSync(join(FOLDER, 'walk.py'), 'utf8') },
      [PYTHON, 'walk.py'],
      {
        PYTHONPATH: join(FOLDER, '.targets', major),
        ENGINE_URL: app.engineUrl,
        ELASTIC_PASSWORD: app.elasticPassword,
        MAJOR: major,
      },
    );
    expect(walk.status, walk.output).toBe(0);
    expect(walk.output.trim().split('\n')).toEqual(STATIONS);
  });
}
