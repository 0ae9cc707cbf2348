// What a program finds when it begins. It is a function, so that nothing in here can be reached from the program; what is
// used later is taken now, since the program may replace it.
(function (names, now, ask, print, done, failed) {
  "use strict";
  const { stringify, parse } = JSON;
  const { create, freeze, defineProperty, getOwnPropertyNames } = Object;
  const { apply, construct } = Reflect;
  const { then } = Promise.prototype;
  const { isArray } = Array;
  const text = String;
  const P = Promise, E = Error, T = TypeError;

  // A program that sees the frames of a stack sees the functions in them: the clock that stands still is made of one that
  // does not.
  delete E.prepareStackTrace;
  defineProperty(E, "prepareStackTrace", { value: undefined, writable: false, configurable: false });

  class ToolError extends E {
    constructor(message, code) {
      super(message);
      this.name = "ToolError";
      this.code = code;
    }
  }

  const waiting = create(null);
  const tools = create(null);
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    tools[name] = (input) => {
      const given = input === undefined ? {} : input;
      if (given === null || typeof given !== "object" || isArray(given)) {
        throw new T(`tools.${name} takes one object with its arguments`);
      }
      const id = ask(name, stringify(given));
      return new P((resolve, reject) => { waiting[id] = { resolve, reject }; });
    };
  }

  const shown = (value) => {
    if (typeof value === "string") return value;
    if (value instanceof E) return text(value.stack ? `${value.name}: ${value.message}` : value);
    try {
      const json = stringify(value);
      return json === undefined ? text(value) : json;
    } catch {
      return text(value);
    }
  };
  const log = (...values) => {
    let line = "";
    for (let index = 0; index < values.length; index++) line += (index ? " " : "") + shown(values[index]);
    print(line + "\n");
  };
  const console = freeze({ log, info: log, warn: log, error: log, debug: log });

  // A clock that stands still, behind every way to it.
  const Real = Date;
  const Still = function Date(...values) {
    if (new.target === undefined) return new Real(now).toString();
    return construct(Real, values.length ? values : [now], new.target);
  };
  for (const key of getOwnPropertyNames(Real)) {
    if (key !== "prototype" && key !== "now" && key !== "name" && key !== "length") {
      defineProperty(Still, key, { value: Real[key], writable: true, configurable: true });
    }
  }
  defineProperty(Still, "now", { value: () => now, writable: true, configurable: true });
  Still.prototype = Real.prototype;
  defineProperty(Real.prototype, "constructor", { value: Still, writable: true, configurable: true });
  Real.now = undefined;

  // The same numbers in every run: mulberry32.
  let seed = 0x2f6e2b1;
  Math.random = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };

  const visible = (name, value) => defineProperty(globalThis, name, { value, writable: true, configurable: true });
  visible("tools", freeze(tools));
  visible("console", console);
  visible("ToolError", ToolError);
  visible("Date", Still);

  const fault = (error) => {
    if (error instanceof E) failed(text(error.name), text(error.message), text(error.stack));
    else failed("", `thrown: ${shown(error)}`, "");
  };
  return {
    start(main) {
      const settled = (value) => {
        let json;
        try {
          json = value === undefined ? "null" : stringify(value);
        } catch (error) {
          failed("TypeError", `the returned value cannot be written as JSON: ${error.message}`, "");
          return;
        }
        done(json === undefined ? "null" : json);
      };
      const safely = (error) => {
        try { fault(error); } catch { failed("", "thrown: a value that cannot be shown", ""); }
      };
      apply(then, main(), [settled, safely]);
    },
    settle(id, json) {
      const call = waiting[id];
      delete waiting[id];
      call.resolve(parse(json));
    },
    fail(id, code, message) {
      const call = waiting[id];
      delete waiting[id];
      call.reject(new ToolError(message, code));
    },
  };
})
