// Runs the setup of the containers once.
import { runSetup } from './run-setup.ts';

process.exitCode = runSetup(process.env, process.stdout, process.stderr);
