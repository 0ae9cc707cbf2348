//! What programs in JavaScript can do, and how their mistakes are told.

use adjutant_tool::code::End;
use serde_json::json;

use crate::scene::{fault, limited, program, run, value};

#[tokio::test]
async fn a_program_calls_its_tools() {
    assert_eq!(value("return await tools.add({ a: 1, b: 2 })").await, json!(3));
    assert_eq!(
        value("const rows = await tools.rows({ count: 3 }); return rows.map(r => r.n)").await,
        json!([0, 1, 2])
    );
    let many = "return await Promise.all([1, 2, 3].map(n => tools.add({ a: n, b: n })))";
    assert_eq!(value(many).await, json!([2, 4, 6]));
    assert_eq!(value("await tools.add({})").await, json!(null));
    assert_eq!(value("return [...new Map([[1, 2]])].flat().at(-1) ?? 0n").await, json!(2));
}

#[tokio::test]
async fn a_call_that_fails_can_be_caught() {
    let source = "try { await tools.fail({}) } catch (e) { return [e.name, e.code, e.message, e instanceof ToolError] }";
    assert_eq!(value(source).await, json!(["ToolError", "tool-failed", "no paper", true]));
    let uncaught = fault("const a = 1\nawait tools.fail({})").await;
    assert_eq!((uncaught.kind.as_str(), uncaught.message.as_str()), ("ToolError", "no paper"));
}

#[tokio::test]
async fn a_mistake_has_its_place() {
    for (source, line, kind, message) in [
        ("const a = 1\nreturn a +* 2", 2, "SyntaxError", ""),
        ("\n\nreturn missing", 3, "ReferenceError", "missing is not defined"),
        ("const f = () => {\n  throw new TypeError('bad')\n}\nf()", 2, "TypeError", "bad"),
        ("return null.x", 1, "TypeError", ""),
        ("if (true) {", 1, "SyntaxError", ""),
        ("return await tools.order({})", 1, "TypeError", "not a function"),
        ("const rows = await tools.rows({ count: 1 })\nreturn rows[5].n", 2, "TypeError", ""),
        ("tools.add(1, 2)", 1, "TypeError", "tools.add takes one object"),
    ] {
        let fault = fault(source).await;
        assert_eq!(fault.line, Some(line), "{source}: {fault}");
        assert_eq!(fault.kind, kind, "{source}: {fault}");
        assert!(fault.message.contains(message), "{source}: {fault}");
        assert!(fault.column.is_some(), "{source}: {fault}");
    }
    assert_eq!(fault("throw { status: 7 }").await.message, r#"thrown: {"status":7}"#);
    assert_eq!(
        fault("await new Promise(() => {})").await.message,
        "the program waits for something that never comes"
    );
    assert!(fault("const a = []; a.push(a); return a").await.message.contains("cannot be written as JSON"));
}

#[tokio::test]
async fn what_is_printed_is_kept_in_order_up_to_the_limit() {
    let (_, printed) =
        run(&program("console.log('a', 1, { b: [2] }); await tools.add({}); console.log(null)")).await;
    assert_eq!(printed, "a 1 {\"b\":[2]}\nnull\n");
    let flood =
        limited("for (let i = 0; i < 1e5; i++) console.log('ä'.repeat(20)); return 7", |l| l.output = 1_001);
    let told =
        crate::scene::course(&adjutant_tool::code::Programs::new(crate::scene::interpreter()), &flood).await;
    let told = told.unwrap();
    let last = crate::scene::last(&told);
    assert_eq!(last.end, Some(End::Value(json!(7))));
    assert!(last.printed.len() <= 1_001 && last.printed.len() > 990);
    assert_eq!(last.printed.len() as u64 + last.unprinted, 100_000 * 41);
}

#[tokio::test]
async fn nothing_in_it_depends_on_when_or_where_it_runs() {
    let source = "return [Date.now(), new Date().toISOString(), Date(), new Date(0).getHours(), Math.random(), \
                  new (new Date(0)).constructor().getTime(), new Date(2020, 0, 1).getTimezoneOffset(), \
                  typeof performance, typeof WeakRef, typeof Intl, (1.5).toLocaleString(), \
                  new Date(0).toLocaleString()]";
    let first = value(source).await;
    assert_eq!(first, value(source).await);
    assert_eq!(first[0], json!(1_700_000_000_000_i64));
    assert_eq!(first[1], json!("2023-11-14T22:13:20.000Z"));
    assert_eq!(first[5], json!(1_700_000_000_000_i64));
    assert_eq!((&first[3], &first[6]), (&json!(0), &json!(0)));
    assert_eq!((&first[7], &first[8]), (&json!("undefined"), &json!("undefined")));
    assert!(
        value("return new Date('2024-02-29') instanceof Date && Date.UTC(2020, 0) > 0")
            .await
            .as_bool()
            .unwrap()
    );
}
