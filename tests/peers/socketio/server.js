// One process of Socket.IO with the Redis adapter: `node server.js LISTEN REDIS`, both HOST:PORT.
// A client's query parameter `token` is the room that it is in; everybody is in the namespace.
import { createServer } from "node:http";
import { Redis } from "ioredis";
import { Server } from "socket.io";
import { createAdapter } from "@socket.io/redis-adapter";

const [listen, redis] = process.argv.slice(2).map((address) => {
  const [host, port] = address.split(":");
  return { host, port: Number(port) };
});

const publisher = new Redis(redis);
const subscriber = publisher.duplicate();
const server = createServer();
const io = new Server(server, {
  transports: ["websocket"],
  perMessageDeflate: false,
  serveClient: false,
  // The clients of the benchmark answer no pings.
  pingInterval: 3_600_000,
  adapter: createAdapter(publisher, subscriber),
});

io.on("connection", (socket) => {
  // Memory that the documentation advises to give back.
  delete socket.conn.request;
  socket.join(socket.handshake.query.token);
});

server.listen(listen.port, listen.host, 4096);
