// One process at a time lives in a data folder.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { lockFolder } from '@monitor-mesh/embedded/folder-lock.ts';
import { temporaryFolder } from './rig.ts';

suite('the lock of a data folder', () => {
  test('is taken, holds our number, and is given back', (t) => {
    const folder = temporaryFolder(t);
    const unlock = lockFolder(folder);
    assert.equal(readFileSync(join(folder, 'mesh.pid'), 'utf8'), String(process.pid));
    unlock();
    unlock();
    assert.equal(existsSync(join(folder, 'mesh.pid')), false);
  });

  test('of another mesh that lives is respected, and taken over once that was killed', async (t) => {
    const folder = temporaryFolder(t);
    const other = spawn(process.execPath, ['-e', 'process.stdout.write("up"); process.stdin.resume()'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    t.after(() => other.kill('SIGKILL'));
    await once(other.stdout, 'data');
    writeFileSync(join(folder, 'mesh.pid'), String(other.pid));
    assert.throws(() => lockFolder(folder), {
      code: 'folder_in_use',
      message: new RegExp(`process ${other.pid}\\b`, 'u'),
    });
    const exited = once(other, 'exit');
    other.kill('SIGKILL');
    await exited;
    lockFolder(folder)();
  });

  for (const left of ['', 'nonsense', '-1', '999999999', String(process.pid), '1'])
    test(`left behind as '${left}' is taken over: no mesh of that number lives`, (t) => {
      const folder = temporaryFolder(t);
      writeFileSync(join(folder, 'mesh.pid'), left);
      lockFolder(folder)();
    });

  test('a folder that can not be written to is named, with the variable to change', (t) => {
    const folder = join(temporaryFolder(t), 'missing');
    assert.throws(() => lockFolder(folder), { code: 'folder_unusable', message: /missing.*ENOENT.*DATA_DIR/u });
    mkdirSync(folder);
    lockFolder(folder)();
  });
});
