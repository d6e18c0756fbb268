// Owns `mesh credentials`: the first user's way in, for the one who can read the data folder.
import { readFirstLogin } from '@monitor-mesh/shared/auth/first-login.ts';
import { dataFolder } from './broker-door.ts';
import type { Command } from './cli.ts';

export const credentials: Command = async (_words, environment, terminal) => {
  const folder = dataFolder(environment);
  const login = readFirstLogin(folder);
  if (!login)
    throw new Error(
      `there is no first-login.txt to read in ${folder}: start the mesh once, or set DATA_DIR; a lost password is replaced by 'mesh user password admin'`,
    );
  terminal.out.write(`user=${login.user}\npassword=${login.password}\ntoken=${login.token}\n`);
  return 0;
};
