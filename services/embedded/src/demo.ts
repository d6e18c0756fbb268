// Runs the demo until a signal: the embedded mesh with a simulated house.
import { runEmbedded } from './run-embedded.ts';

await runEmbedded(process.env, { demo: true });
