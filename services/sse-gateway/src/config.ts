// Owns sse-gateway's variables.
import { integer, text } from '@monitor-mesh/shared/config.ts';
import { HOUSE_VARIABLES } from '@monitor-mesh/shared/house.ts';

export const SSE_GATEWAY_VARIABLES = {
  SSE_VIEWERS_MAX: integer('Event streams open at once', 5_000, 1, 100_000),
  SSE_VIEWERS_PER_USER_MAX: integer('Event streams that one user may have open', 100, 1, 100_000),
  HOUSE_LABEL: text('Name shown at the top of every screen', ''),
  ...HOUSE_VARIABLES,
} as const;
