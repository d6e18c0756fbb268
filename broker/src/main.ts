// Runs the broker alone in its process.
import { runBroker } from './run-broker.ts';

await runBroker(process.env);
