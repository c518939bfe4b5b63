/** The three application privileges that APM Server knows. */
export const PRIVILEGES = ['config_agent:read', 'event:write', 'sourcemap:write'] as const;

export type Privilege = (typeof PRIVILEGES)[number];

/** The one question APM Server asks: byte for byte the same for every key. */
export const QUESTION = JSON.stringify({
  application: [{ application: 'apm', privileges: PRIVILEGES, resources: ['-'] }],
});

export type Granted = ReadonlySet<Privilege>;

/** Reads the answer; anything but `true` in the right place is a refusal. */
export function readGranted(answer: unknown): Granted {
  const application = (answer as { application?: Record<string, Record<string, Record<string, unknown>>> })
    .application;
  const booleans = application?.['apm']?.['-'] ?? {};
  return new Set(PRIVILEGES.filter((privilege) => booleans[privilege] === true));
}
