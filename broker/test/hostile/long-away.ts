// Runs a client that comes back to its queue, in a process of its own so that its work is not measured as the broker's.
// Prints the number of messages it got when it is asked to stop.
import { connect } from 'mqtt';

const client = connect(process.argv[2] ?? '', { clientId: 'long-away', clean: false });
let caughtUp = 0;
client.on('message', (topic) => {
  if (topic === 'backlog') caughtUp += 1;
});
process.once('SIGTERM', () => {
  process.stdout.write(`${caughtUp}\n`, () => process.exit());
});
