// outbox.js - edits on their way to the service, in their order, one at a time. Each lies in localStorage until the
// service has it on its disk, so a reload, a crash or a stopped service loses none. An edit has an id of its own: sent
// twice it is written once. An edit without a vertebra is about the acceptance of its slice. Who leaves a study goes on
// sending: only what needs an answer of the reader waits until the study is opened again.
import { postJson } from "./api.js";

const RETRY_MS = 2000, PREFIX = "spinert.edit.";
const open = new Map();  // by prefix: one for each study that was opened on this page

export const newId = (bytes) => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (one) => one.toString(16).padStart(2, "0")).join("");
export const same = (a, b) => a.slice === b.slice && a.vertebra === b.vertebra;

const prefixOf = (job, study) => `${PREFIX}${job}.${study}.`;

// How many edits of a study have not reached the service.
export const unsent = (job, study) => Object.keys(localStorage).filter((key) => key.startsWith(prefixOf(job, study))).length;

// `told`: { sent(edit, answer), conflict(edit, current), refused(edit, refusal), changed() }
export function outboxOf(job, study, path, told) {
  const prefix = prefixOf(job, study);
  if (!open.has(prefix)) open.set(prefix, new Outbox(prefix, path));
  return Object.assign(open.get(prefix), { told, stopped: false });
}

class Outbox {
  constructor(prefix, path) {
    Object.assign(this, { prefix, path, told: null, problem: null, stopped: false, running: false, number: 0 });
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

  leave() {
    this.told = null;
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
      this.told?.sent(edit, answer);
    } catch (problem) {
      const { status, body: { error, current } = {} } = problem;
      const answered = status >= 400 && status < 500 && status !== 408;
      if (answered && !this.told) this.stopped = true;  // nobody is there to be told
      else if (error === "conflict") await this.told.conflict(edit, current);
      else if (answered) {
        this.drop((one) => one === edit);
        this.told.refused(edit, problem);
      } else {
        this.problem = problem;
        this.told?.changed();
        await new Promise((again) => setTimeout(again, RETRY_MS));
      }
    }
  }
}
