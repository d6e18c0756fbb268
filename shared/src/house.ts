// Owns the variables that describe the house itself.
import { choice, parsed } from './config.ts';
import { isTimeZone } from './time.ts';

export const HOUSE_VARIABLES = {
  HOUSE_TZ: parsed('Time zone of the house', 'Europe/Paris', 'a time zone such as Europe/Paris', (zone) => {
    if (!isTimeZone(zone)) throw new Error('expected a time zone such as Europe/Paris');
    return zone;
  }),
  HOUSE_LANG: choice('Language of pages that a browser does not choose', 'fr', ['fr', 'en']),
} as const;
