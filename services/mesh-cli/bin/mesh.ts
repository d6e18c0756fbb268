#!/usr/bin/env node
// Runs the mesh command line.
import { runCli } from '../src/cli.ts';

process.exitCode = await runCli(process.argv.slice(2), process.env, process.stdout, process.stderr, process.stdin);
