import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NO_CLOUD, runWithFiles, startWithFiles, type Finished, type RunningProgram } from './process';

const FOLDER = join(__dirname, '../.java');

/** The jars of `pom.xml`, and the classes of ours that set-up compiled. */
export const JARS = join(FOLDER, 'jars');
export const CLASSES = join(FOLDER, 'classes');

/** Short-lived programs do not earn back what the second compiler costs. */
export const JVM_OPTIONS = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

/** Why tests in Java cannot run here, or `undefined` when they can. */
export const JAVA_MISSING = existsSync(join(FOLDER, '.digest'))
  ? undefined
  : 'the Java programs are not built: they need a JDK of Java 17 or later, and Maven';

/** The agent reads the file that stands beside its jar. */
const AGENT_JAR = 'elastic-apm-agent.jar';
export const AGENT_FILE = 'elasticapm.properties';

const ENVIRONMENT = {
  ...NO_CLOUD,
  // A request of events ends after 200 ms instead of 10 s.
  ELASTIC_APM_API_REQUEST_TIME: '200ms',
  // The application calls the agent's API; preparing for every framework costs a third of the start.
  ELASTIC_APM_ENABLE_INSTRUMENTATIONS: 'public-api',
};

async function files(snippet: string): Promise<Record<string, string | Buffer>> {
  return {
    [AGENT_FILE]: `${snippet}\n`,
    [AGENT_JAR]: await readFile(join(JARS, 'elastic-apm-agent-1.52.0.jar')),
  };
}

// The agent's own jar must not be on the class path: it would look for its file beside that one.
const CLASS_PATH = `${join(JARS, 'apm-agent-api-1.52.0.jar')}:${CLASSES}`;

const COMMAND = ['java', ...JVM_OPTIONS, `-javaagent:${AGENT_JAR}`, '-cp', CLASS_PATH, 'Application'] as const;

/** Elastic's agent for Java, with the snippet as its file. */
export async function sendWithJava(snippet: string): Promise<Finished> {
  return runWithFiles(await files(snippet), COMMAND, ENVIRONMENT);
}

/** The same program, kept running: each line of its input is one transaction more. */
export async function startJava(snippet: string): Promise<RunningProgram> {
  return startWithFiles(await files(snippet), COMMAND, ENVIRONMENT);
}
