import { NODE_MODULES, NO_CLOUD, runWithFiles, type Finished } from './process';

/** What stands below the snippet: an application with one transaction. */
const APPLICATION = `
const apm = require('elastic-apm-node')
apm.startTransaction('one transaction', 'request').end('success')
apm.flush().then(() => process.exit(0))
`;

/** Elastic's agent for Node.js, started by the snippet in the first lines. */
export function sendWithNode(snippet: string): Promise<Finished> {
  return runWithFiles(
    { 'app.cjs': `${snippet}\n${APPLICATION}` },
    [process.execPath, 'app.cjs'],
    { NODE_PATH: NODE_MODULES, ...NO_CLOUD },
  );
}
