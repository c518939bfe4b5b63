import { NODE_MODULES, runWithFiles, type Finished } from './process';

/** An SDK that is told nothing in code: all it knows, it has from the environment. */
const APPLICATION = `
const { NodeSDK } = require('@opentelemetry/sdk-node')
const { trace } = require('@opentelemetry/api')
const sdk = new NodeSDK()
sdk.start()
trace.getTracer('one').startSpan('one transaction').end()
sdk.shutdown().then(() => process.exit(0), (error) => { console.error(error); process.exit(0) })
`;

/** OpenTelemetry's SDK for Node.js, under a shell that has read the snippet. */
export function sendWithOpenTelemetry(snippet: string): Promise<Finished> {
  return runWithFiles(
    { 'environment.sh': `${snippet}\n`, 'app.cjs': APPLICATION },
    ['sh', '-euc', `. ./environment.sh; exec "${process.execPath}" app.cjs`],
    { NODE_PATH: NODE_MODULES },
  );
}
