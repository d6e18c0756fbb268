// Owns the reading of the mapping's file, at start.
import { readFileSync } from 'node:fs';
import { cleanText } from '@monitor-mesh/shared/config.ts';
import { codeOf, reasonOf } from '@monitor-mesh/shared/errors.ts';
import { type Mapping, NO_MAPPING, readMapping } from './mapping.ts';

const FAULTS_SHOWN_MAX = 10;

/**
 * The mapping in a file: `{"devices": [{"name", "id", "key", "idm"?, "colour"?, "maj_id"?}, …]}`, or the list alone.
 *
 * @param path empty for no file
 * @throws Error that names the line or the entries, and what was expected
 */
export function readMappingFile(path: string): Mapping {
  if (path === '') return NO_MAPPING;
  const value = parse(textOf(path));
  const { mapping, faults } = readMapping(
    Array.isArray(value) ? value : (value as { devices?: unknown } | null)?.devices,
  );
  if (faults.length > 0) throw new Error(faults.slice(0, FAULTS_SHOWN_MAX).join('; '));
  return mapping;
}

function textOf(path: string): string {
  try {
    return cleanText(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`expected a file that can be read (${codeOf(error) ?? 'error'})`);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`expected JSON, and line ${brokenLine(text)} is not`);
  }
}

/** The first line after which no continuation could make JSON of it. The parser says where it stopped only at times. */
function brokenLine(text: string): number {
  const lines = text.split('\n');
  for (let count = 1; count < lines.length; count++) {
    if (!mayGoOn(lines.slice(0, count).join('\n'))) return count;
  }
  return lines.length;
}

/** Whether the parser had nothing against a text but that it ends; its words are all that it tells. */
function mayGoOn(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const words = reasonOf(error);
    return words.includes('end of JSON') || words.includes(`at position ${text.length} `);
  }
}
