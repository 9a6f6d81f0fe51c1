// api.js - requests to the service. The token is asked for once and kept for this tab alone.
import { ask } from "./dom.js";

const KEY = "spinert.token", TIMEOUT_MS = 60000;
let asking;

export class Refusal extends Error {
  constructor(status, body) {
    super(body.message ?? "the service does not answer");
    Object.assign(this, { status, body });  // status 0: no answer
  }
}

export async function request(path, options = {}) {
  const token = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(`../v1/${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS), ...options, headers })
    .catch(() => { throw new Refusal(0, {}); });
  if (answer.ok) return answer;
  if (answer.status !== 401) throw new Refusal(answer.status, await answer.json().catch(() => ({})));
  if (token === sessionStorage.getItem(KEY)) {  // else another request has brought a newer one
    asking ??= ask("Token", "This service wants a token. Its engineer has it", "password")
      .then((given) => sessionStorage.setItem(KEY, given)).finally(() => { asking = undefined; });
    await asking;
  }
  return request(path, options);
}

export const getJson = async (path) => (await request(path)).json();

export const postJson = async (path, body) => (await request(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();
