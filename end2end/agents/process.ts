import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Finished {
  status: number | null;
  /** Both streams, as they came. */
  output: string;
}

const TIMEOUT_MS = 30_000;

/** Where npm put the packages; a program in a temporary folder finds them by it. */
export const NODE_MODULES = join(__dirname, '../node_modules');

/**
 * Runs a program over files in a folder that exists for this run alone.
 *
 * The environment is empty but for what is named, so that only the snippet can
 * have told the agent where to send and with which key.
 */
export async function runWithFiles(
  files: Record<string, string>,
  command: readonly [string, ...string[]],
  environment: Record<string, string> = {},
): Promise<Finished> {
  const folder = await mkdtemp(join(tmpdir(), 'agent-keys-agent-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return await run(command, folder, { PATH: process.env['PATH'] ?? '', HOME: folder, ...environment });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function run(
  [program, ...rest]: readonly [string, ...string[]],
  cwd: string,
  env: Record<string, string>,
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (part: Buffer) => (output += part.toString('utf8')));
    child.stderr.on('data', (part: Buffer) => (output += part.toString('utf8')));
    const late = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
    child.once('error', (error) => {
      clearTimeout(late);
      reject(error);
    });
    child.once('close', (status) => {
      clearTimeout(late);
      resolve({ status, output });
    });
  });
}

/** Elastic's agents ask the cloud they run in for its name; there is none here. */
export const NO_CLOUD = { ELASTIC_APM_CLOUD_PROVIDER: 'none' };
