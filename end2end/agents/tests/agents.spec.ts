import { CACHE_LIFETIME_MS, expect, test } from '../../fixtures/intake';
import { sendWithDjango, sendWithFlask } from '../python';
import { GO_MISSING, sendWithGo } from '../go';
import { JAVA_MISSING, sendWithJava } from '../java';
import { sendWithNode } from '../node';
import { sendWithOpenTelemetry } from '../opentelemetry';
import type { Finished } from '../process';

/**
 * The agents and the intake without the page between them: when a story with a
 * displayed snippet fails and these pass, the snippet is what is wrong.
 */
const AGENTS: [
  agent: string,
  send: (snippet: string) => Promise<Finished>,
  snippet: (url: string, key: string) => string,
  missing?: string | undefined,
][] = [
  [
    'Node.js',
    sendWithNode,
    (url, key) => `require('elastic-apm-node').start({ serviceName: 'checkout', serverUrl: '${url}', apiKey: '${key}' })`,
  ],
  [
    'Flask',
    sendWithFlask,
    (url, key) => `
from elasticapm.contrib.flask import ElasticAPM
app.config["ELASTIC_APM"] = {"SERVICE_NAME": "checkout", "SERVER_URL": "${url}", "API_KEY": "${key}"}
apm = ElasticAPM(app)`,
  ],
  [
    'Django',
    sendWithDjango,
    (url, key) => `
INSTALLED_APPS = ["elasticapm.contrib.django"]
MIDDLEWARE = ["elasticapm.contrib.django.middleware.TracingMiddleware"]
ELASTIC_APM = {"SERVICE_NAME": "checkout", "SERVER_URL": "${url}", "API_KEY": "${key}"}`,
  ],
  [
    'OpenTelemetry',
    sendWithOpenTelemetry,
    (url, key) => `
export OTEL_SERVICE_NAME=checkout
export OTEL_EXPORTER_OTLP_ENDPOINT=${url}
export OTEL_EXPORTER_OTLP_HEADERS="Authorization=ApiKey ${key}"`,
  ],
  [
    'Java',
    sendWithJava,
    (url, key) => `service_name=checkout\nserver_url=${url}\napi_key=${key}`,
    JAVA_MISSING,
  ],
  [
    'Go',
    sendWithGo,
    (url, key) => `
export ELASTIC_APM_SERVICE_NAME=checkout
export ELASTIC_APM_SERVER_URL=${url}
export ELASTIC_APM_API_KEY=${key}`,
    GO_MISSING,
  ],
];

for (const [agent, send, snippet, missing] of AGENTS) {
  test(`${agent}: what it sends arrives, and after revoking is refused`, async ({ app, clock, startIntake }) => {
    test.skip(missing !== undefined, missing);
    test.slow();
    const key = await app.engine.createAgentKey(agent, ['event:write', 'config_agent:read']);
    const intake = await startIntake();

    const sent = await send(snippet(intake.url, key.encoded));
    expect(sent.status, sent.output).toBe(0);
    const delivery = await intake.ledger.waitFor(
      `a delivery from ${agent}`,
      ({ status, events }) => status < 300 && events.some(({ kind }) => kind === 'transaction' || kind === 'span'),
    );
    expect(delivery).toMatchObject({ keyId: key.id, service: 'checkout' });

    await app.engine.revoke(key.id);
    clock.pass(CACHE_LIFETIME_MS);
    await send(snippet(intake.url, key.encoded));
    const refusal = await intake.ledger.waitFor(`a refusal of ${agent}`, ({ status }) => status >= 300);
    expect(refusal).toMatchObject({ keyId: key.id, status: 401 });
  });
}
