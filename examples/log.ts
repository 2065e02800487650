/**
 * Log a product's events from Node: one JSON object a line, one file per UTC day, one write per line.
 *
 *     const log = new Log("logs", "reply-drafts");
 *     const answer = log.write({ kind: "response", parent: "message-1", prompt, text, model: "gpt-small" }, who);
 *     log.write({ kind: "edited", answer, text: "Dear Ana, ..." }, who);
 *
 * The fields and what they mean: docs/events.schema.json. Copy this file and change it; it needs nothing but Node.
 */

import { randomUUID } from "node:crypto";
import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { basename, join } from "node:path";

export type Message = { role: "system" | "user" | "assistant" | "tool"; content: string };

/** Whom and what an event is about; `user` is a stable hash, never a name or an address. */
export type Who = {
  conversation?: string;
  user?: string;
  component?: string;
  tenant?: string;
  tags?: Record<string, string>;
  may_train?: boolean;
};

export type Fact =
  | {
      kind: "response";
      parent: string;
      prompt: Message[];
      text: string;
      model: string;
      model_version?: string;
      prompt_version?: string;
      arm?: string;
      propensity?: number;
      refused?: boolean;
      tokens_in?: number;
      tokens_out?: number;
      cost?: number;
      latency_ms?: number;
    }
  | { kind: "shown"; answer: string; visible?: boolean; dwell_ms?: number }
  | { kind: "edited"; answer: string; text: string }
  | { kind: "accepted"; answer: string; how?: string }
  | { kind: "rated"; answer: string; value: number; comment?: string }
  | {
      kind: "tool_call";
      answer: string;
      name: string;
      arguments?: Record<string, unknown>;
      text?: string;
      error?: string;
      latency_ms?: number;
    }
  | { kind: "retrieval"; answer: string; query: string; documents?: string[]; empty?: boolean }
  | { kind: "outcome"; name: string; value: number; answer?: string };

export class Log {
  constructor(
    private readonly folder: string,
    private readonly workload: string,
  ) {
    mkdirSync(folder, { recursive: true });
  }

  /** Append the fact and return its id; throws, and writes nothing, when a value is not JSON in UTF-8. */
  write(fact: Fact, who: Who = {}, id: string = randomUUID()): string {
    const at = new Date().toISOString();
    const line = JSON.stringify({ v: 1, id, at, workload: this.workload, ...who, ...fact }, checked) + "\n";
    append(join(this.folder, `${at.slice(0, 10)}.jsonl`), line);
    return id;
  }
}

/** JSON.stringify would turn NaN into null and let half a character through. */
function checked(name: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError(`field ${name}: ${value} is not JSON`);
  if (typeof value === "string" && !value.isWellFormed()) throw new RangeError(`field ${name}: half a character`);
  return value;
}

/** In append mode the system places each write at the end, whoever else writes; a torn line before it is closed first. */
function append(path: string, line: string): void {
  const file = openSync(path, "a+");
  try {
    const size = fstatSync(file).size;
    const last = Buffer.alloc(1);
    const torn = size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a;
    const bytes = Buffer.from((torn ? "\n" : "") + line, "utf8");
    if (writeSync(file, bytes) !== bytes.length) throw new Error(`${path}: the line was not written in full`);
  } finally {
    closeSync(file);
  }
}

// `node log.js FOLDER` logs one exchange, so that you see what lines look like.
const [, program, folder] = process.argv;
if (program !== undefined && basename(program) === "log.js" && folder !== undefined) {
  const log = new Log(folder, "reply-drafts");
  const who: Who = { conversation: "ticket-17", user: "3f9a1c", component: "generator", tags: { language: "de" } };
  const prompt: Message[] = [{ role: "user", content: "Wo bleibt meine Bestellung 12345?\nZoë 🙂" }];
  const answer = log.write(
    { kind: "response", parent: randomUUID(), prompt, text: "Liebe Zoë, …", model: "gpt-small", tokens_in: 12, latency_ms: 812.5 },
    who,
  );
  log.write({ kind: "retrieval", answer, query: "Bestellung 12345", documents: ["orders/12345"] }, who);
  log.write({ kind: "tool_call", answer, name: "track", arguments: { order: 12345 }, error: "timeout" }, who);
  log.write({ kind: "shown", answer, dwell_ms: 5200 }, who);
  log.write({ kind: "edited", answer, text: "Liebe Zoë, Ihre Bestellung 12345 kommt morgen." }, who);
  log.write({ kind: "accepted", answer, how: "sent" }, who);
  log.write({ kind: "rated", answer, value: 1, comment: "fast gut" }, who);
  log.write({ kind: "outcome", name: "solved", value: 1 }, who);
}
