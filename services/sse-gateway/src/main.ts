// Runs sse-gateway alone in its process.
import { runService } from '@monitor-mesh/shared/run-service.ts';
import { sseGateway } from './service.ts';

await runService(sseGateway);
