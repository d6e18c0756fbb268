// Runs the embedded mesh until a signal.
import { runEmbedded } from './run-embedded.ts';

await runEmbedded(process.env);
