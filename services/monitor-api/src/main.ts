// Runs monitor-api alone in its process.
import { runService } from '@monitor-mesh/shared/run-service.ts';
import { monitorApi } from './service.ts';

await runService(monitorApi);
