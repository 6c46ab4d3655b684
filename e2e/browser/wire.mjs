// A wire to a server that can be cut: what has come through arrives, nothing more does.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Listens on a port of its own and passes everything on to the server at `base`. */
export async function wire(base) {
  const { hostname, port } = new URL(base);
  const sockets = new Set();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      sockets.add(one);
      one.pipe(other);
      // A socket that breaks takes its other half along.
      one.on("error", () => {});
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    base: `http://127.0.0.1:${server.address().port}`,
    cut: () => sockets.forEach((socket) => socket.destroy()),
    close: () => server.close(),
  };
}
