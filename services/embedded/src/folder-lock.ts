// Owns the rule that one process at a time lives in a data folder.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, MeshError } from '@monitor-mesh/shared/errors.ts';

const LOCK_FILE = 'mesh.pid';

function isAlive(pid: number): boolean {
  try {
    // Another process may wear the number of one that died: only a Node process can be ours.
    return pid !== process.pid && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('node');
  } catch {
    return false; // no such process
  }
}

/**
 * Takes the folder, or says whose it is. A lock left by a process that was killed is taken over.
 *
 * @returns gives the folder back
 * @throws MeshError `folder_in_use`
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, LOCK_FILE);
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx', mode: 0o600 });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST')
        throw new MeshError(
          'folder_unusable',
          `cannot write to ${folder} (${codeOf(error) ?? 'error'}): set DATA_DIR to a folder of your own`,
          { cause: error },
        );
      const pid = Number(readFileSync(path, 'utf8'));
      if (isAlive(pid))
        throw new MeshError(
          'folder_in_use',
          `the data folder ${folder} is in use by process ${pid}: stop that or set DATA_DIR to another folder`,
        );
      rmSync(path, { force: true });
    }
  }
}
