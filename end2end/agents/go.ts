import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NO_CLOUD, runWithFiles, type Finished } from './process';

/** Where set-up puts the programs it builds. */
export const GO_PROGRAMS = join(__dirname, '../.go');

/** Why tests in Go cannot run here, or `undefined` when they can. */
export const GO_MISSING = existsSync(join(GO_PROGRAMS, '.digest'))
  ? undefined
  : 'the Go programs are not built: they need Go 1.25 or later';

/** Elastic's agent for Go, under a shell that has read the snippet. */
export function sendWithGo(snippet: string): Promise<Finished> {
  return runWithFiles(
    { 'environment.sh': `${snippet}\n` },
    ['sh', '-euc', `. ./environment.sh; exec "${join(GO_PROGRAMS, 'application')}"`],
    NO_CLOUD,
  );
}
