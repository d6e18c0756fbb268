// Runs zigbee-bridge alone in its process.
import { runService } from '@monitor-mesh/shared/run-service.ts';
import { zigbeeBridge } from './service.ts';

await runService(zigbeeBridge);
