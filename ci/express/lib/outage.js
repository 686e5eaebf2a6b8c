// A way to a server that can be cut: what a client is told when its store fails.
import { connect, createServer } from "node:net";

/**
 * The same URL behind a proxy. Where `proxy.cuts` is a function, it is shown each piece of what
 * clients send, as text, and those for which it says so never arrive: the connection is closed.
 */
export async function behindProxy(url) {
  const target = new URL(url);
  const open = new Set();
  const proxy = { cuts: null, cut: 0 };
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const both = [client, upstream];
    const close = () => both.forEach((socket) => socket.destroy());
    for (const socket of both) {
      open.add(socket);
      socket.on("error", close);
      socket.on("close", () => {
        open.delete(socket);
        close();
      });
    }
    upstream.pipe(client);
    client.on("data", (piece) => {
      if (!proxy.cuts?.(piece.toString("latin1"))) return upstream.write(piece);
      proxy.cut++;
      close();
    });
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const through = new URL(url);
  through.host = `127.0.0.1:${server.address().port}`;
  return Object.assign(proxy, {
    url: through.href,
    close() {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  });
}
