// api.js - requests to the service. The token is asked for once and kept for this tab alone.
import { ask } from "./dialogs.js";

const KEY = "spinert.token";
let asking = null;

export class Refusal extends Error {
  constructor(status, body) {
    super(body.message ?? "the service does not answer");
    this.status = status;  // 0: no answer
    this.error = body.error ?? "";
    this.body = body;
  }
}

async function askToken() {
  // Many requests may find out at once; one dialog is enough.
  asking ??= ask("Token", "This service wants a token. Its engineer has it.", { label: "Token", secret: true })
    .then((token) => sessionStorage.setItem(KEY, token.trim())).finally(() => { asking = null; });
  await asking;
}

export async function request(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem(KEY);
    const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    let answer;
    try {
      answer = await fetch(`../v1/${path}`, { ...options, headers, signal: AbortSignal.timeout(60000) });
    } catch {
      throw new Refusal(0, {});
    }
    if (answer.ok) return answer;
    if (answer.status === 401) {
      // Another request may have brought a newer one meanwhile.
      if (token === sessionStorage.getItem(KEY)) await askToken();
      continue;
    }
    throw new Refusal(answer.status, await answer.json().catch(() => ({})));
  }
}

export const getJson = async (path) => (await request(path)).json();

export const postJson = async (path, body) => (await request(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();

export async function download(path, name) {
  const url = URL.createObjectURL(await (await request(path)).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
