// express-session, measured: node server.js STORE [--url URL] [--extend]; the routes are those of the
// other stacks (bench/shared/src/lib.rs). It always extends a session that it has read.
import express from 'express';
import session from 'express-session';

const contents = {
  user: { id: 4711, name: 'Ada Lovelace', roles: ['editor', 'author'] },
  csrf: '6b1f0c9e4d7a4be2a1d5c3f7089e2b64',
  cart: [{ sku: 'A-1017', n: 2 }, { sku: 'B-2204', n: 1 }],
  lang: 'eng',
};
const maxAge = 86_400_000;
const secret = '0123456789abcdef'.repeat(4);

const [kind, ...rest] = process.argv.slice(2);
const url = rest.includes('--url') ? rest[rest.indexOf('--url') + 1] : undefined;

async function store() {
  switch (kind) {
    case 'memory':
      return new session.MemoryStore();
    case 'redis': {
      const [{ RedisStore }, { createClient }] = await Promise.all([import('connect-redis'), import('redis')]);
      const client = createClient({ url });
      await client.connect();
      return new RedisStore({ client });
    }
    case 'postgres': {
      const [{ default: connect }, { default: pg }] = await Promise.all([import('connect-pg-simple'), import('pg')]);
      const PgStore = connect(session);
      const pool = new pg.Pool({ connectionString: url });
      return new PgStore({ pool, createTableIfMissing: true });
    }
    case 'mysql': {
      const { default: connect } = await import('express-mysql-session');
      const MySQLStore = connect(session);
      const { hostname, port, username, password, pathname } = new URL(url);
      const [user, secret, database] = [username, password, pathname.slice(1)].map(decodeURIComponent);
      const store = new MySQLStore({ host: hostname, port, user, password: secret, database });
      await store.onReady();
      return store;
    }
    default:
      throw new Error(`this stack has no store ${kind}`);
  }
}

const app = express();
if (kind !== 'none') {
  const options = { secret, resave: false, saveUninitialized: false, cookie: { maxAge } };
  app.use(session({ ...options, store: await store() }));
}
app.get('/none', (_, response) => response.send('0'));
app.get('/new', (request, response) => {
  Object.assign(request.session, { views: 1 }, contents);
  response.send('1');
});
app.get('/read', (request, response) => response.send(String(request.session.views ?? 0)));
app.get('/edit', (request, response) => {
  request.session.views = (request.session.views ?? 0) + 1;
  response.send(String(request.session.views));
});

const server = app.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
process.stdin.on('end', () => process.exit(0)).resume();
