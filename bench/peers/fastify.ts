// A bare Fastify route in its own process: the least that an HTTP answer costs. Prints its port.
import Fastify from 'fastify';

const app = Fastify();
app.get('/maj', async () => ({ status: 'OK' }));
await app.listen({ host: '127.0.0.1', port: 0 });
const address = app.server.address();
process.stdout.write(`${address !== null && typeof address === 'object' ? address.port : 0}\n`);
