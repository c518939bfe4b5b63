import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runWithFiles } from '../agents/process';
import { PYTHON } from '../agents/python';
import { expect, test } from '../fixtures/app';

const FOLDER = join(__dirname, 'python');

/**
 * Elastic's own client for Python, unchanged, against the engine. Both majors
 * call themselves `elasticsearch`, so each is installed into a folder of its
 * own, once, by the requirements that stand beside the walk.
 */
for (const major of ['9', '8']) {
  test(`Python client ${major}`, async ({ app }) => {
    test.slow();
    const packages = await install(major);
    const walk = await runWithFiles(
      { 'walk.py': readFileSync(join(FOLDER, 'walk.py'), 'utf8') },
      [PYTHON, 'walk.py'],
      { PYTHONPATH: packages, ENGINE_URL: app.engineUrl, ELASTIC_PASSWORD: app.elasticPassword, MAJOR: major },
    );
    expect(walk.status, walk.output).toBe(0);
    expect(walk.output.trim().split('\n')).toEqual([
      'info',
      'api keys',
      'authentication by key',
      'grant',
      'roles and users',
      'application privileges',
      'errors',
    ]);
  });
}

async function install(major: string): Promise<string> {
  const requirements = join(FOLDER, `elasticsearch-${major}.txt`);
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  const target = join(FOLDER, '.targets', major);
  const stamp = join(target, '.digest');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return target;
  const pip = await runWithFiles(
    {},
    [PYTHON, '-m', 'pip', 'install', '--quiet', '--upgrade', '--target', target, '--requirement', requirements],
    // pip asks the person's own settings where packages come from.
    { HOME: process.env['HOME'] ?? '' },
  );
  expect(pip.status, pip.output).toBe(0);
  writeFileSync(stamp, digest);
  return target;
}
