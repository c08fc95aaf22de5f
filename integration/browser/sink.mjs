// A customer's site: it keeps what it is sent, and answers as it is told.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";
import { until } from "./site.mjs";

export class Sink {
  // start serves on loopback until the test t ends.
  static async start(t) {
    const sink = new Sink();
    await new Promise(listening => sink.server.listen(0, "127.0.0.1", listening));
    sink.url = `http://127.0.0.1:${sink.server.address().port}/hooks`;
    t.after(() => { sink.server.close(); sink.server.closeAllConnections(); });
    return sink;
  }

  constructor() {
    this.received = [];
    this.answers(200, `{"taken":true}`, { "Content-Type": "application/json" });
    this.server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      this.received.push({ headers: request.headers, body: Buffer.concat(chunks) });
      response.writeHead(this.answer.status, this.answer.headers);
      response.end(this.answer.body);
    });
  }

  // answers sets what is answered from now on.
  answers(status, body = "", headers = {}) { this.answer = { status, body, headers }; }

  // arrivals are those of an event so far.
  arrivals(event) { return this.received.filter(r => r.headers["webhook-id"] === event); }

  // arrival waits for an event to have arrived so many times, and returns the
  // last arrival.
  async arrival(event, times = 1) {
    await until(`event ${event} to arrive`, () => this.arrivals(event).length >= times);
    return this.arrivals(event).at(-1);
  }
}

// verify throws unless a request is signed with a secret.
export function verify(request, secret) {
  new Webhook(secret).verify(request.body, request.headers);
}
