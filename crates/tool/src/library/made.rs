//! A tool of the library as a tool.

use std::sync::Arc;

use adjutant_core::label::Label;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error};
use futures::future::{BoxFuture, FutureExt};
use serde_json::Value;

use super::entry::Entry;
use super::proposal::{moved, program, spec};
use crate::code::{End, Interpreter, Programs};
use crate::{Context, Failure, Output, Tool};

/// A tool that runs in the [`Interpreter`] that the run shares, or in this executable.
pub(super) fn tool(entry: Entry) -> Arc<dyn Tool> {
    let manifest = &entry.manifest;
    let spec = spec(&manifest.name, &manifest.description, &manifest.parameters);
    Arc::new(Made { spec, program: entry.program })
}

struct Made {
    spec: ToolSpec,
    program: String,
}

/// What a program made of its arguments and of nothing else, which is as trusted as they are.
fn made(value: Value) -> Output {
    Output::json(value).labelled(Label::default())
}

impl Tool for Made {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        // Within a string of JSON, nothing of the arguments can be taken for a part of the program.
        let given = Value::from(arguments.to_string());
        let program = program(&self.program, &format!("return await tool(JSON.parse({given}))"));
        let interpreter =
            context.resource::<Interpreter>().map(|shared| (*shared).clone()).unwrap_or_default();
        let name = self.spec.name.clone();
        async move {
            let advance = Programs::new(interpreter).advance(context.step(), &program, &[], None).await?;
            let why = match advance.end {
                Some(End::Value(value)) => return Ok(made(value)),
                Some(End::Fault(fault)) => moved(&fault).to_string(),
                Some(End::Limit(limit)) => format!("it reached the limit of {}", limit.as_str()),
                None => "it did not end".to_owned(),
            };
            Err(Error::new(Code::ToolFailed, format!("the tool `{name}` failed: {why}")).into())
        }
        .boxed()
    }
}
