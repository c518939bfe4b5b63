import { CLASSES, JARS, JAVA_MISSING, JVM_OPTIONS } from '../agents/java';
import { runWithFiles } from '../agents/process';
import { expect, test } from '../fixtures/app';
import { STATIONS } from './stations';

/** Elastic's own client for Java, unchanged, against the engine. One JVM does both walks. */
test('Java client 9, with plain and with compressed bodies', async ({ app }) => {
  test.skip(JAVA_MISSING !== undefined, JAVA_MISSING);
  test.slow();
  const walk = await runWithFiles({}, ['java', ...JVM_OPTIONS, '-cp', `${JARS}/*:${CLASSES}`, 'Walk'], {
    ENGINE_URL: app.engineUrl,
    ELASTIC_PASSWORD: app.elasticPassword,
  });
  expect(walk.status, walk.output).toBe(0);
  expect(walk.output.trim().split('\n')).toEqual(['plain', ...STATIONS, 'compressed', ...STATIONS]);
});
