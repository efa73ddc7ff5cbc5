"""The viewer's scripts before a server that has too much to do, in Node."""

from __future__ import annotations

from test_viewer import run_node

SERVER = """
import http from "node:http";
globalThis.window = globalThis;
let refusals = 2;
const seen = [];
const server = http.createServer((request, response) => {
  seen.push(Date.now());
  if (refusals > 0) {
    refusals -= 1;
    response.writeHead(503, { "Retry-After": "1", "Content-Type": "application/json" });
    response.end('{"error": "150 requests are under way"}');
    return;
  }
  response.writeHead(200, { "Content-Type": "application/octet-stream" });
  response.end(Buffer.alloc(16, 1));
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const base = `http://127.0.0.1:${server.address().port}`;
const gaps = () => seen.slice(1).map((at, k) => at - seen[k]);
"""


def test_a_tile_that_was_refused_is_asked_for_again_when_the_server_says_so() -> None:
    told = run_node(
        SERVER
        + """
const { TileStore } = await import("viewer/tiles.js");
const offline = [];
const arrived = await new Promise((done) => {
  const store = new TileStore({
    address: (key) => `${base}/${key}`, budget: 1e6,
    renderer: { accept() {}, release() {} },
    arrived: (key) => {
      offline.push(store.offline);
      if (store.has(key)) done(store.get(key).state);
    },
  });
  store.want([{ key: "truth/z/0/0/0/0", priority: 0, width: 2, height: 2 }], new Set());
});
server.closeAllConnections();
server.close();
console.log(JSON.stringify({ arrived, offline, gaps: gaps() }));
"""
    )
    assert told["arrived"] == "ready"
    assert told["offline"] == [False, False, False]
    assert len(told["gaps"]) == 2
    assert all(990 <= gap < 3500 for gap in told["gaps"])


def test_other_answers_are_asked_for_again_too_and_an_error_is_not() -> None:
    told = run_node(
        SERVER
        + """
const { get, HttpError } = await import("viewer/api.js");
const size = (await (await get(base)).arrayBuffer()).byteLength;
const asked = seen.length;
server.removeAllListeners("request");
let others = 0;
server.on("request", (request, response) => {
  others += 1;
  response.writeHead(422, { "Content-Type": "application/json" });
  response.end('{"error": "damaged"}');
});
const error = await get(base).catch((one) => [one instanceof HttpError, one.status, one.message]);
server.closeAllConnections();
server.close();
console.log(JSON.stringify({ size, asked, others, error, gaps: gaps().slice(0, 2) }));
"""
    )
    assert (told["size"], told["asked"], told["others"]) == (16, 3, 1)
    assert told["error"] == [True, 422, "damaged"]
    assert all(gap >= 990 for gap in told["gaps"])
