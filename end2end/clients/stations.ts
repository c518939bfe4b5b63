/** What a walk through the engine prints, in this order, when all is as it should be. */
export const STATIONS = [
  'info',
  'api keys',
  'authentication by key',
  'grant',
  'roles and users',
  'application privileges',
  'errors',
];
