// Runs the embedded mesh until a signal.
import { enableCompileCache } from 'node:module';

enableCompileCache();
const { runEmbedded } = await import('./run-embedded.ts');
await runEmbedded(process.env);
