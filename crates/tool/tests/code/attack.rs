//! Programs that try to get out, and programs that try to take all there is.

use std::time::{Duration, Instant};

use adjutant_tool::code::{End, Limit};
use serde_json::json;

use crate::scene::{fault, limited, program, run, value};

#[tokio::test]
async fn there_is_nothing_to_import() {
    for source in [
        "return require('fs')",
        "return process.env",
        "return globalThis.std.open('/etc/passwd')",
        "return os.exec(['id'])",
        "return Deno.readTextFileSync('/etc/passwd')",
        "return fetch('http://127.0.0.1')",
        "return new Worker('x')",
        "return new WebAssembly.Module(new Uint8Array())",
        "setTimeout(() => {}, 1)",
        "return await import('fs')",
        "return await import('/etc/passwd')",
        "import fs from 'fs'",
        "return import.meta.url",
        "scriptArgs[0]",
        "load('/etc/passwd')",
    ] {
        let fault = fault(source).await;
        assert!(
            ["ReferenceError", "SyntaxError", "TypeError"].contains(&fault.kind.as_str()),
            "{source}: {fault}"
        );
    }
}

/// Whatever object a program gets hold of, the same few globals are behind it.
#[tokio::test]
async fn constructors_lead_back_into_the_same_world() {
    let names = "Object.getOwnPropertyNames(this ?? globalThis)";
    let own = value("return Object.getOwnPropertyNames(globalThis).sort()").await;
    let known =
        own.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    for absent in
        ["ask", "print", "std", "os", "bjson", "navigator", "WeakRef", "FinalizationRegistry", "performance"]
    {
        assert!(!known.iter().any(|name| name == absent), "{absent} in {known:?}");
    }
    for source in [
        format!("return Function('return {names}')().sort()"),
        format!("return (0, eval)('{names}').sort()"),
        format!("return tools.add.constructor('return {names}')().sort()"),
        format!("return console.log.constructor('return {names}')().sort()"),
        format!("return (async () => {{}}).constructor('return {names}')().then(n => n.sort())"),
        format!("return (function* () {{}}).constructor('return {names}')().next().value.sort()"),
        format!(
            "try {{ await tools.fail({{}}) }} catch (e) {{ return e.constructor.constructor('return {names}')().sort() }}"
        ),
        format!(
            "return (await tools.rows({{ count: 1 }})).constructor.constructor('return {names}')().sort()"
        ),
    ] {
        assert_eq!(value(&source).await, own, "{source}");
    }
}

/// The frames of a stack would give away the functions in them, and among these the clock that does not stand still.
#[tokio::test]
async fn a_stack_gives_no_function_away() {
    let source = "let found = 0;\n\
         try { Error.prepareStackTrace = (e, sites) => { found += sites.length; return '' } } catch (e) { }\n\
         try { Object.defineProperty(Error, 'prepareStackTrace', { value: (e, sites) => { found += sites.length; return '' } }) }\n\
         catch (e) { }\n\
         try { new Date({ valueOf() { String(new Error('x').stack); return 0 } }) } catch (e) { }\n\
         return [found, new Date().getTime() === Date.now()]";
    assert_eq!(value(source).await, json!([0, true]));
}

#[tokio::test]
async fn the_tools_cannot_be_bent() {
    assert!(fault("tools.add = () => 7").await.message.contains("read-only"));
    assert!(fault("tools.evil = () => 7").await.kind == "TypeError");
    assert!(fault("return await tools.__proto__.add({})").await.kind == "TypeError");
    assert!(fault("return await tools['constructor']({})").await.kind == "TypeError");
    // What the program replaces is its own: the host still gets calls of functions that there are.
    let bent = "JSON.stringify = () => '{\"a\":5}'; Promise = Map.prototype.get = null; Array.isArray = () => true; \
                Object.prototype.toJSON = () => ({ a: 9 }); return await tools.add({ a: 1, b: 1 })";
    assert_eq!(value(bent).await, json!(9));
    let then = "Promise.prototype.then = () => { throw 1 }; Function.prototype.apply = null; return 7";
    assert_eq!(value(then).await, json!(7));
    let other = "tools.add({ toJSON() { return [1] } })";
    assert_eq!(fault(other).await.message, "the arguments of `add` are no JSON object");
}

async fn limit(source: &str, limit: Limit) {
    let began = Instant::now();
    let program = limited(source, |limits| {
        limits.instructions = 20_000_000;
        limits.memory = 32 << 20;
        limits.time_ms = 8_000;
    });
    assert_eq!(run(&program).await.0, End::Limit(limit), "{source}");
    assert!(began.elapsed() < Duration::from_secs(40), "{source} took {:?}", began.elapsed());
}

#[tokio::test]
async fn time_bombs_are_counted() {
    limit("for (;;) {}", Limit::Instructions).await;
    limit("while (true) { try { for (;;) {} } catch {} finally {} }", Limit::Instructions).await;
    limit("const f = async () => { for (;;) await 0 }; await f()", Limit::Instructions).await;
    limit(
        "const f = () => { Promise.resolve().then(f) }; f(); await new Promise(() => {})",
        Limit::Instructions,
    )
    .await;
    limit("[1, 2].sort(() => { for (;;) {} })", Limit::Instructions).await;
    limit("return { toJSON() { for (;;) {} } }", Limit::Instructions).await;
    limit(
        "const e = new Error(); Object.defineProperty(e, 'message', { get() { for (;;) {} } }); throw e",
        Limit::Instructions,
    )
    .await;
    limit("return /^(a+)+$/.test('a'.repeat(50) + 'b')", Limit::Instructions).await;
    limit("return new Proxy({}, { ownKeys() { for (;;) {} } })", Limit::Instructions).await;
}

#[tokio::test]
async fn what_cannot_be_counted_is_killed() {
    let program = limited("let n = 3n; for (;;) n = n * n % (2n ** 400000n)", |limits| {
        limits.instructions = u64::MAX;
        limits.time_ms = 500;
    });
    let began = Instant::now();
    assert_eq!(run(&program).await.0, End::Limit(Limit::Time));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test]
async fn memory_bombs_are_counted() {
    limit("const a = []; for (;;) a.push('x'.repeat(1 << 20) + a.length)", Limit::Memory).await;
    limit("return 'x'.repeat(2 ** 29)", Limit::Memory).await;
    limit("let s = 'x'; for (let i = 0; i < 29; i++) s += s; return s.charCodeAt(7)", Limit::Memory).await;
    assert_eq!(fault("let s = 'x'; for (;;) s += s").await.message, "string too long");
    limit("return new Uint8Array(2 ** 30).length", Limit::Memory).await;
    limit("return [...Array(1e8).keys()].length", Limit::Memory).await;
    limit("const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })", Limit::Memory).await;
}

#[tokio::test]
async fn recursion_ends_as_an_error() {
    for source in [
        "const f = () => f(); return f()",
        "const f = () => [1].map(f); return f()",
        "return JSON.parse('['.repeat(1e6))",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a",
        "return eval('('.repeat(1e6))",
        "return new RegExp('('.repeat(1e5) + ')'.repeat(1e5)).test('a')",
        "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x",
    ] {
        let (end, _) = run(&program(source)).await;
        assert!(matches!(end, End::Fault(_)), "{source}: {end:?}");
    }
    assert_eq!(
        value("const f = () => f(); try { f() } catch (e) { return e.name }").await,
        json!("RangeError")
    );
}

#[tokio::test]
async fn floods_are_bounded() {
    let calls = limited("for (;;) await tools.add({})", |limits| limits.calls = 5);
    assert_eq!(run(&calls).await.0, End::Limit(Limit::Calls));
    let caught = limited("for (;;) try { tools.add({}) } catch {}", |limits| limits.calls = 5);
    assert_eq!(run(&caught).await.0, End::Limit(Limit::Calls));
    assert!(fault("return 'x'.repeat(30000)").await.message.contains("return less"));
    assert!(fault("await tools.add({ a: 'x'.repeat(5e6) })").await.message.contains("the arguments have"));
    let long = limited("return 1 // and much more", |limits| limits.source = 10);
    let (End::Fault(fault), _) = run(&long).await else { panic!("it ran") };
    assert_eq!(fault.message, "the program has 25 bytes, and 10 are allowed");
}
