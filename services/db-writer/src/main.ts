// Runs db-writer alone in its process.
import { runService } from '@monitor-mesh/shared/run-service.ts';
import { dbWriter } from './service.ts';

await runService(dbWriter);
