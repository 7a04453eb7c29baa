// node ws: one frame made for each message, and written to every client.
import net from "node:net";
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, backlog: 4096, perMessageDeflate: false });
let buffered = Buffer.alloc(0);

function publish(payload) {
  for (const client of server.clients) client.send(payload, { binary: false });
}

server.on("listening", () => {
  const feed = net.connect(Number(process.argv[2]), "127.0.0.1", () => feed.write("RAW\n"));
  feed.on("data", (data) => {
    buffered = Buffer.concat([buffered, data]);
    let at = 0;
    while (buffered.length - at >= 8) {
      const end = at + 8 + buffered.readUInt32LE(at);
      if (end > buffered.length) break;
      publish(buffered.subarray(at + 8, end));
      at = end;
    }
    buffered = buffered.subarray(at);
  });
  feed.on("end", () => process.exit(0));
  console.log(server.address().port);
});
