// Owns the OpenAPI document and the page to try it.
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { ROLES } from '@monitor-mesh/shared/contract.ts';
import type { FastifyInstance } from 'fastify';

const DOCS = '/api/docs';

/** Must be registered before the routes that it describes. */
export async function addOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'monitor-mesh',
        version,
        description:
          'The house: states, events, messages. The old addresses (json.php) are described in docs/legacy.md.',
      },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer' },
          password: { type: 'http', scheme: 'basic' },
          session: { type: 'apiKey', in: 'cookie', name: 'mesh_session' },
        },
      },
      security: [{ token: [] }, { password: [] }, { session: [] }],
    },
  });
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: { kind: 'roles', roles: ROLES } };
    });
    await scope.register(swaggerUi, {
      routePrefix: DOCS,
      staticCSP: true,
      // Plain HTTP on the house's own network is a supported way in.
      transformStaticCSP: (header) => header.replace(/;? *upgrade-insecure-requests/u, ''),
    });
  });
}
