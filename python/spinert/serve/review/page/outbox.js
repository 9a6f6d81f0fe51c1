// outbox.js - edits on their way to the service, in their order, one at a time. Each lies in localStorage until the
// service has it on its disk, so a reload, a crash or a stopped service loses none. An edit has an id of its own: sent
// twice it is written once. An edit without a vertebra is about the acceptance of its slice.
import { postJson } from "./api.js";

const RETRY_MS = 2000;

export const newId = (bytes) => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (one) => one.toString(16).padStart(2, "0")).join("");
export const same = (a, b) => a.slice === b.slice && a.vertebra === b.vertebra;

export class Outbox {
  // `told`: { sent(edit, answer), conflict(edit, current), refused(edit, refusal), changed() }
  constructor(prefix, path, told) {
    Object.assign(this, { prefix, path, told, problem: null, stopped: false, running: false, number: 0 });
    this.edits = Object.keys(localStorage).filter((key) => key.startsWith(prefix)).sort().map((key) => JSON.parse(localStorage.getItem(key)));
  }

  add(edit) {
    this.number = Math.max(Date.now(), this.number + 1);
    const id = newId(16);
    this.edits.push({ ...edit, edit: id, key: `${this.prefix}${this.number}.${id}` });
    this.keep(this.edits.at(-1));
    this.run();
  }

  keep(edit) {
    try {
      localStorage.setItem(edit.key, JSON.stringify(edit));
    } catch { /* Full or forbidden: it is sent from memory all the same. */ }
  }

  drop(which) {
    for (const edit of this.edits.filter(which)) localStorage.removeItem(edit.key);
    this.edits = this.edits.filter((edit) => !which(edit));
  }

  async run() {
    if (this.running) return;
    this.running = true;
    while (this.edits.length && !this.stopped) await this.send(this.edits[0]);
    this.running = false;
  }

  async send(edit) {
    const { key, ...body } = edit;
    try {
      const answer = await postJson(this.path, body);
      // Later edits of the same thing were based on this one. What others changed meanwhile shows in `before`: those edits
      // stay as they are and become conflicts.
      for (const later of this.edits.filter((one) => one !== edit && one.slice === edit.slice)) {
        if (later.based_on !== (!later.vertebra ? answer.before : same(later, edit) ? edit.based_on : -1)) continue;
        later.based_on = answer.revision;
        this.keep(later);
      }
      this.problem = null;
      this.drop((one) => one === edit);
      this.told.sent(edit, answer);
    } catch (problem) {
      const { status, body: { error, current } = {} } = problem;
      if (error === "conflict") await this.told.conflict(edit, current);
      else if (status >= 400 && status < 500 && status !== 408) {
        this.drop((one) => one === edit);
        this.told.refused(edit, problem);
      } else {
        this.problem = problem;
        this.told.changed();
        await new Promise((again) => setTimeout(again, RETRY_MS));
      }
    }
  }
}
